package runtime_test

import (
	"context"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/runtime"
)

// A guest that is timed by the clock of its thread goes on with what it began before,
// coroutines of the host among it.
func TestTimedRewriter(t *testing.T) {
	program := mustProgram(t, js.Source{Name: "a.js", Type: js.TypeModule, Data: []byte(`
		const work = () => { for (let i = 0; i < 300_000; i++); };
		export default {
			fetch() {
				const rewriter = new HTMLRewriter().on("b", { element(e) { work(); e.setInnerContent("x"); } });
				return rewriter.transform(new Response("<b>a</b>".repeat(20)));
			},
		};`)})
	s := mustPrepare(t, mustLoad(t, mustRuntime(t, runtime.Config{}), program), host.Limits{})
	limits := host.Limits{CPU: 2 * time.Second}
	got := ask(t, s, "/", limits)
	if want := len("<b>x</b>") * 20; got.err != nil || len(got.Body) != want || got.usage.CPU < limits.CPU/16 {
		t.Errorf("got %d bytes after %v, %v; want %d after more than a sixteenth of %v", len(got.Body), got.usage.CPU, got.err, want, limits.CPU)
	}
}

// clocked notes which clocks the guests of an ABI are timed by.
type clocked struct {
	abi.ABI
	clocks []host.ThreadClock
}

func (a *clocked) Enter(c *host.Call) {
	a.clocks = append(a.clocks, c.Threads)
	a.ABI.Enter(c)
}

// A busy machine has no initialisation fail, or warm-up, that takes little of it.
func TestTimedAsRequests(t *testing.T) {
	seen := &clocked{ABI: native.New()}
	r, err := runtime.New(t.Context(), runtime.Config{ABIs: []abi.ABI{seen}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(context.Background()) })
	m := mustLoad(t, r, hello("hello"))
	s, err := prepare(t, m, host.Limits{}, hosttest.Request("GET", "http://test.localhost/", ""))
	if err != nil {
		t.Fatal(err)
	}
	ask(t, s, "/", host.Limits{})
	if got := seen.clocks; len(got) != 3 || got[0] != got[2] || got[1] != got[2] {
		t.Errorf("got the clocks %v, want those of the request for all three", got)
	}
}
