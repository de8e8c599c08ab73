package trigger

import (
	"context"
	"net/url"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// Batch gives a batch of a queue to a Function that find finds, and waits for the end;
// the end of ctx cancels it. name is the host of its request. What the Function decided
// is in the batch then. The errors are those of Scheduled.
func (r *Runner) Batch(ctx context.Context, find func() (*deploy.Active, error), name string, b *host.QueueBatch) (Ran, error) {
	active, snapshot, err := r.enter(ctx, find)
	if err != nil {
		return Ran{}, full(err)
	}
	e := &event{request: batchRequest(name, b), trigger: host.TriggerQueue, queue: b, limits: active.Limits,
		answer: newAnswer(active.Function, "POST"), leave: active.Leave}
	if active.Version.Settings.Limits.WallMillis == 0 {
		e.limits.Wall = batchWall
	}
	ran := r.await(ctx, active, snapshot, e)
	if response := e.answer.response; response != nil { // which nobody asked for
		response.Body.Close()
	}
	return ran, nil
}

// batchWall is how long a batch may take where the Function's limits.wall_ms does not
// say, and the most that it may: as on Cloudflare
// (https://developers.cloudflare.com/queues/platform/limits/).
const batchWall = scheduledWall

// batchRequest stands for the event in what is kept of failures.
func batchRequest(name string, b *host.QueueBatch) host.Request {
	target := "http://" + name + "/__queue?queue=" + url.QueryEscape(b.Queue)
	return host.Request{Method: []byte("POST"), URL: []byte(target), Headers: host.Headers{}.Add("host", name)}
}
