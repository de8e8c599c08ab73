package trigger

import (
	"context"
	"net/url"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// Changed sends a Function that find finds a change of a key, and waits for the end;
// the end of ctx cancels it. name is the host of its request. What it writes to KV is
// hops away from the first of changes that led to each other. The errors are those of
// Scheduled.
func (r *Runner) Changed(ctx context.Context, find func() (*deploy.Active, error), name string, k host.KVChange, hops int) (Ran, error) {
	active, snapshot, err := r.enter(ctx, find)
	if err != nil {
		return Ran{}, err
	}
	for _, b := range active.Version.Settings.KVNamespaces {
		if b.ID == k.Namespace {
			k.Binding = b.Binding
		}
	}
	e := &event{request: changeRequest(name, &k), trigger: host.TriggerKV, change: &k, hops: hops, limits: active.Limits,
		answer: newAnswer(active.Function, "POST"), leave: active.Leave}
	if active.Version.Settings.Limits.WallMillis == 0 {
		e.limits.Wall = scheduledWall
	}
	ran := r.await(ctx, active, snapshot, e)
	if response := e.answer.response; response != nil { // which nobody asked for
		response.Body.Close()
	}
	return ran, nil
}

// changeRequest stands for the event as scheduledRequest does.
func changeRequest(name string, k *host.KVChange) host.Request {
	target := "http://" + name + "/__kv?key=" + url.QueryEscape(k.Key)
	return host.Request{Method: []byte("POST"), URL: []byte(target), Headers: host.Headers{}.Add("host", name)}
}
