package runtime_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
)

// Events do not reach a module that has no handler of them.
func TestEventsWithoutHandler(t *testing.T) {
	for wanted, set := range map[string]func(*host.Call){
		"kv":    func(c *host.Call) { c.Trigger, c.Change = host.TriggerKV, &host.KVChange{Key: "k", Revision: 2} },
		"queue": func(c *host.Call) { c.Trigger, c.Queue = host.TriggerQueue, &host.QueueBatch{Queue: "q"} },
	} {
		t.Run(wanted, func(t *testing.T) { withoutHandler(t, wanted, set) })
	}
}

func withoutHandler(t *testing.T, wanted string, set func(*host.Call)) {
	s := mustPrepare(t, mustLoad(t, mustRuntime(t, runtime.Config{}), hello("hello")), host.Limits{})
	if !s.Use() {
		t.Fatal("the snapshot was closed")
	}
	r := result{Recorder: new(hosttest.Recorder)}
	c := begin(t, r.Recorder, "/__"+wanted, host.Limits{})
	set(c)
	r.invoke(s, c)
	if r.outcome != host.OutcomeException || !strings.Contains(r.err.Error(), `export a function "`+wanted+`"`) || r.Answers > 0 {
		t.Errorf("got %v, %v", r.outcome, r.err)
	}
}
