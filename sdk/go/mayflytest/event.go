package mayflytest

import (
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// errNoEvent is what functions give that read an event of another kind.
var errNoEvent = &host.Error{Code: host.NotFound, Message: "this invocation is of another kind"}

func (i *invocation) FailEvent(string)                 {}
func (i *invocation) Batch() (host.BatchHead, error)   { return host.BatchHead{}, errNoEvent }
func (i *invocation) BatchBody(int) ([]byte, error)    { return nil, errNoEvent }
func (i *invocation) Ack(int) error                    { return errNoEvent }
func (i *invocation) Retry(int, int64) error           { return errNoEvent }
func (i *invocation) AckAll() error                    { return errNoEvent }
func (i *invocation) RetryAll(int64) error             { return errNoEvent }
func (i *invocation) Change() (host.ChangeHead, error) { return host.ChangeHead{}, errNoEvent }
func (i *invocation) ChangeValue() ([]byte, error)     { return nil, errNoEvent }

// event is an invocation that is no request, as host.Node shows it to the SDK.
type event struct {
	*invocation
	fail string // why it failed; empty if it did not
}

func (e *event) FailEvent(reason string) { e.fail = reason }

// Detach has nothing to send.
func (e *event) Detach() error { return nil }

// newEvent begins an event whose request has a path.
func (n *Node) newEvent(path string) *event {
	r := httptest.NewRequest(http.MethodPost, path, nil)
	return &event{invocation: &invocation{node: n, w: httptest.NewRecorder(), r: r, start: time.Now(), state: sent}}
}

// run runs an event. The error is failed, with the reason, if its handler failed.
func (e *event) run(invoke func(), failed error) (err error) {
	defer e.end()
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = failed
		default:
			panic(v)
		}
	}()
	if invoke(); e.fail != "" {
		return &failure{failed, e.fail}
	}
	return nil
}

// failure is an event that failed for a reason.
type failure struct {
	kind   error
	reason string
}

func (f *failure) Error() string { return f.kind.Error() + ": " + f.reason }
func (f *failure) Unwrap() error { return f.kind }
