package trigger

import (
	"bytes"
	"context"
	"io"
	"strconv"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// Payload is an event that a Function gets as a POST to "/".
type Payload struct {
	ID      string // the header Mayfly-Invocation-Id
	Type    string // Content-Type; may be empty
	Body    []byte // not changed
	Attempt int    // the header Mayfly-Invocation-Attempt; 1 is the first
}

func (p Payload) request(name string) host.Request {
	h := host.Headers{}.Add("host", name).Add("content-length", strconv.Itoa(len(p.Body))).
		Add("mayfly-invocation-id", p.ID).Add("mayfly-invocation-attempt", strconv.Itoa(p.Attempt))
	if p.Type != "" {
		h = h.Add("content-type", p.Type)
	}
	return host.Request{Method: []byte("POST"), URL: []byte("http://" + name + "/"), Headers: h}
}

// fitting is find, with an error for a Version that takes no such long body.
func (p Payload) fitting(find func() (*deploy.Active, error)) func() (*deploy.Active, error) {
	return func() (*deploy.Active, error) {
		active, err := find()
		if err == nil && int64(len(p.Body)) > active.Limits.RequestBody {
			err = host.Errorf(host.CodeTooLarge, "Function %s takes bodies of at most %d bytes; raise its limits.request_body_mb", active.Function, active.Limits.RequestBody)
		}
		return active, err
	}
}

func (p Payload) event(active *deploy.Active, name string) *event {
	e := &event{request: p.request(name), trigger: host.TriggerInvoke, limits: active.Limits, answer: newAnswer(active.Function, "POST"), leave: active.Leave}
	if len(p.Body) > 0 {
		e.body = &givenBody{source: bytes.NewReader(p.Body), left: active.Limits.RequestBody}
	}
	return e
}

// Invoke gives a Function that find finds a Payload, and returns what it answers; the
// end of ctx cancels it until the answer is whole. name is the host of its request.
// The errors are those of Runner.Call, and of a Function or an account that has too
// many Invocations for half a minute.
func (r *Runner) Invoke(ctx context.Context, find func() (*deploy.Active, error), name string, p Payload) (*host.FetchResponse, error) {
	active, snapshot, err := r.enter(ctx, p.fitting(find))
	if err != nil {
		return nil, full(err)
	}
	e := p.event(active, name)
	r.begin(ctx, active, snapshot, e)
	return e.answer.wait()
}

// Deliver is Invoke for one who wants to know how it went, and drops the answer.
// Status is that of the answer, 0 if there was none.
func (r *Runner) Deliver(ctx context.Context, find func() (*deploy.Active, error), name string, p Payload) (ran Ran, status int, err error) {
	active, snapshot, err := r.enter(ctx, p.fitting(find))
	if err != nil {
		return Ran{}, 0, full(err)
	}
	e := p.event(active, name)
	drained := make(chan struct{})
	go func() { // ends with the Invocation at the latest
		defer close(drained)
		response, err := e.answer.wait()
		if err != nil {
			return
		}
		status = response.Status
		io.Copy(io.Discard, response.Body) //nolint:errcheck // the Outcome tells
		response.Body.Close()
	}()
	ran = r.await(ctx, active, snapshot, e)
	<-drained
	return ran, status, nil
}
