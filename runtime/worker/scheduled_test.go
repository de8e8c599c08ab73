//go:build linux

package worker_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

// A scheduled event reaches the worker, and the request after it is one.
func TestScheduled(t *testing.T) {
	f := newFleet(t)
	var m hosttest.Module
	call := m.ImportAll(native.New().Modules()[0])
	m.Memory(1)
	m.Data(0, []byte("request"))
	m.Func("fetch", nil, nil, nil, hosttest.I32Const(200), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(7),
		hosttest.Call(call["respond"]), hosttest.Drop)
	m.Func("scheduled", nil, nil, nil,
		hosttest.I32Const(1), hosttest.I32Const(64), hosttest.I32Const(64), hosttest.I32Const(64), hosttest.Call(call["scheduled_cron"]), hosttest.Call(call["log"]), hosttest.Drop,
		hosttest.Call(call["scheduled_time"]), hosttest.I64Const(1_795_669_200_000), []byte{0x52}, []byte{0x04, 0x40, 0x00, 0x0b}) // if it is another: unreachable
	s, err := f.prepare(m.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c := new(host.Call)
		c.ID, c.Services, c.Bindings, c.Limits = "event", hosttest.Services(t), &host.Bindings{Function: "test"}, f.limits
		c.Request, c.Responder = hosttest.Request("POST", "http://test.localhost/__scheduled", ""), new(hosttest.Recorder)
		c.Scheduled = &host.Scheduled{Cron: "0 5 * * *", Time: time.UnixMilli(1_795_669_200_000)}
		c.Begin(t.Context())
		if !s.Use() {
			t.Fatal("the snapshot was closed")
		}
		outcome, _, err := s.Invoke(c)
		log := c.Services.Log.(*hosttest.Log).Entries()
		if outcome != host.OutcomeOK || len(log) != 1 || log[0].Text != "0 5 * * *" {
			t.Errorf("got %v, %v, logged %v", outcome, err, log)
		}
		f.mustAsk(s, "request")
	}
}
