package runtime_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
)

// A change of a key does not reach a module that has no handler of it.
func TestChangeWithoutHandler(t *testing.T) {
	s := mustPrepare(t, mustLoad(t, mustRuntime(t, runtime.Config{}), hello("hello")), host.Limits{})
	if !s.Use() {
		t.Fatal("the snapshot was closed")
	}
	r := result{Recorder: new(hosttest.Recorder)}
	c := begin(t, r.Recorder, "/__kv", host.Limits{})
	c.Trigger, c.Change = host.TriggerKV, &host.KVChange{Key: "k", Revision: 2}
	r.invoke(s, c)
	if r.outcome != host.OutcomeException || !strings.Contains(r.err.Error(), `export a function "kv"`) || r.Answers > 0 {
		t.Errorf("got %v, %v", r.outcome, r.err)
	}
}
