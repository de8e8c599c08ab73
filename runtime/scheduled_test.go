package runtime_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/runtime"
)

var due = time.Date(2026, 11, 26, 5, 0, 0, 0, time.UTC)

// schedule sends a scheduled event, and returns with the result what was logged.
func schedule(t *testing.T, m *runtime.Module) (r result, log string) {
	t.Helper()
	s := mustPrepare(t, m, host.Limits{})
	if !s.Use() {
		t.Fatal("the snapshot was closed")
	}
	r.Recorder = new(hosttest.Recorder)
	c := begin(t, r.Recorder, "/__scheduled?cron=0+5+*+*+*", host.Limits{})
	c.Trigger, c.Scheduled = host.TriggerCron, &host.Scheduled{Cron: "0 5 * * *", Time: due}
	r.invoke(s, c)
	for _, e := range c.Services.Log.(*hosttest.Log).Entries() {
		log += e.Text + "\n"
	}
	if r.Answers > 0 {
		t.Errorf("there was an answer: %+v", r.Recorder)
	}
	return r, log
}

func TestScheduledWorker(t *testing.T) {
	cases := []struct {
		name, source string
		outcome      host.Outcome
		want         string // in the log, or in the error
	}{
		{"handler", `export default { async scheduled(controller, env, ctx) {
			console.log(controller.cron, controller.scheduledTime, new Date(controller.scheduledTime).toISOString(), typeof controller.noRetry());
		} };`, host.OutcomeOK, "0 5 * * * 1795669200000 2026-11-26T05:00:00.000Z undefined"},
		{"beside fetch", `export default { fetch() { return new Response("f") }, scheduled(c) { console.log("s") } };`, host.OutcomeOK, "s\n"},
		{"waitUntil", `export default { scheduled(c, env, ctx) { ctx.waitUntil(new Promise(r => setTimeout(r, 5)).then(() => console.log("later"))); } };`, host.OutcomeOK, "later"},
		{"rejected waitUntil", `export default { scheduled(c, env, ctx) { ctx.waitUntil(Promise.reject(new Error("in the background"))); } };`, host.OutcomeException, "in the background"},
		{"throws", `export default { scheduled() { throw new RangeError("too far") } };`, host.OutcomeException, "RangeError: too far"},
		{"rejects", `export default { async scheduled() { await null; throw new Error("later") } };`, host.OutcomeException, "Error: later"},
		{"hangs", `export default { scheduled() { return new Promise(() => {}) } };`, host.OutcomeException, "had hung"},
		{"no handler", `export default { fetch() { return new Response() } };`, host.OutcomeException, "Handler does not export a scheduled() function."},
		{"script", `addEventListener("scheduled", e => { console.log(e.type, e.cron, e.scheduledTime); e.waitUntil(Promise.resolve()); });`, host.OutcomeOK, "scheduled 0 5 * * * 1795669200000"},
	}
	everyEngine(t, func(t *testing.T, r *runtime.Runtime) { // each compiles JavaScript once
		for _, tt := range cases {
			t.Run(tt.name, func(t *testing.T) {
				got, log := schedule(t, mustLoad(t, r, scheduledProgram(t, tt.source)))
				text := log
				if got.err != nil {
					text = got.err.Error()
				}
				if got.outcome != tt.outcome || !strings.Contains(text, tt.want) {
					t.Errorf("got %v, %v, logged %q", got.outcome, got.err, log)
				}
			})
		}
	})
}

func scheduledProgram(t *testing.T, source string) []byte {
	t.Helper()
	p := js.Program{Main: "index.js", Script: strings.HasPrefix(source, "addEventListener"), Modules: []js.Source{module("index.js", source)}}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A Worker of scheduled events alone answers no requests.
func TestScheduledAlone(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	m := mustLoad(t, r, mustProgram(t, module("index.js", `export default { scheduled() {} };`)))
	got := ask(t, mustPrepare(t, m, host.Limits{}), "/", host.Limits{})
	if got.outcome != host.OutcomeException || !strings.Contains(got.err.Error(), "Handler does not export a fetch() function.") {
		t.Errorf("got %v, %v", got.outcome, got.err)
	}
}

// scheduledGuest logs the expression, and traps unless the event is the one that
// was sent and can't be answered.
func scheduledGuest() []byte {
	var m hosttest.Module
	call := map[string]uint32{}
	for _, name := range []string{"respond", "scheduled_cron", "scheduled_time", "wait_until", "log"} {
		f, _ := native.New().Modules()[0].Find(name)
		call[name] = m.Import("mayfly", name, f.Params, f.Results)
	}
	m.Memory(1)
	m.Func("fetch", nil, nil, nil, answer(call["respond"], 0),
		hosttest.I32Const(0), hosttest.I32Const(0), hosttest.Call(call["scheduled_cron"]), hosttest.I32Const(-3), i32Ne, trapIf)
	m.Func("scheduled", nil, nil, nil,
		hosttest.I32Const(1), hosttest.I32Const(64), hosttest.I32Const(64), hosttest.I32Const(64), hosttest.Call(call["scheduled_cron"]), hosttest.Call(call["log"]), hosttest.Drop,
		hosttest.Call(call["scheduled_time"]), hosttest.I64Const(due.UnixMilli()), i64Ne, trapIf,
		hosttest.Call(call["wait_until"]), trapIf,
		hosttest.I32Const(200), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.Call(call["respond"]), hosttest.I32Const(-10), i32Ne, trapIf)
	return m.Bytes()
}

var (
	i32Ne  = []byte{0x47}
	i64Ne  = []byte{0x52}
	trapIf = []byte{0x04, 0x40, 0x00, 0x0b} // if unreachable end
)

func TestScheduledNative(t *testing.T) {
	everyEngine(t, func(t *testing.T, r *runtime.Runtime) {
		m := mustLoad(t, r, scheduledGuest())
		for range 2 {
			if got, log := schedule(t, m); got.outcome != host.OutcomeOK || log != "0 5 * * *\n" {
				t.Errorf("got %v, %v, logged %q", got.outcome, got.err, log)
			}
			if got := ask(t, mustPrepare(t, m, host.Limits{}), "/", host.Limits{}); got.outcome != host.OutcomeOK || got.Status != 200 {
				t.Errorf("a request: got %v, %v", got.outcome, got.err)
			}
		}
		got, _ := schedule(t, mustLoad(t, r, hello("no handler")))
		if got.outcome != host.OutcomeException || !strings.Contains(got.err.Error(), `export a function "scheduled"`) {
			t.Errorf("without a handler: got %v, %v", got.outcome, got.err)
		}
	})
}

func TestScheduledFail(t *testing.T) {
	var m hosttest.Module
	f, _ := native.New().Modules()[0].Find("scheduled_fail")
	fail := m.Import("mayfly", "scheduled_fail", f.Params, f.Results)
	r := respond(&m)
	m.Memory(1)
	m.Data(0, []byte("no backup today"))
	m.Func("fetch", nil, nil, nil, answer(r, 0), hosttest.I32Const(0), hosttest.I32Const(15), hosttest.Call(fail), hosttest.I32Const(-3), i32Ne, trapIf)
	m.Func("scheduled", nil, nil, nil, hosttest.I32Const(0), hosttest.I32Const(15), hosttest.Call(fail), trapIf)
	everyEngine(t, func(t *testing.T, r *runtime.Runtime) {
		s := mustLoad(t, r, m.Bytes())
		if got, _ := schedule(t, s); got.outcome != host.OutcomeException || got.err.Error() != "no backup today" {
			t.Errorf("got %v, %v", got.outcome, got.err)
		}
		if got := ask(t, mustPrepare(t, s, host.Limits{}), "/", host.Limits{}); got.outcome != host.OutcomeOK {
			t.Errorf("a request: got %v, %v", got.outcome, got.err)
		}
	})
}

func TestScheduledSignature(t *testing.T) {
	var m hosttest.Module
	m.Memory(1)
	m.Func("fetch", nil, nil, nil)
	m.Func("scheduled", nil, []byte{0x7f}, nil, hosttest.I32Const(0))
	_, err := mustRuntime(t, runtime.Config{}).Load(t.Context(), m.Bytes())
	if err == nil || !strings.Contains(err.Error(), `export "scheduled" must have no parameters and no results`) {
		t.Errorf("got %v", err)
	}
}
