package runtime_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
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
