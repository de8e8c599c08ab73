package trigger

import (
	"bytes"
	"context"
	"io"

	"github.com/mayfly-run/mayfly/host"
)

// answer gives what a guest answers to somebody in this process. It implements
// host.Responder.
type answer struct {
	function string // for messages
	bodiless bool   // the request's method is HEAD
	call     *host.Call
	// unwatch lets the Invocation go on whatever becomes of who waits for it.
	unwatch func() bool
	// goesOn is told that the guest may go on behind a whole answer; nil for nobody.
	goesOn func()

	// given is closed once the two below it are set for good.
	given    chan struct{}
	response *host.FetchResponse
	err      error
	handed   bool // given is closed; belongs to the guest's goroutine
}

func newAnswer(function, method string) *answer {
	return &answer{function: function, bodiless: method == "HEAD", given: make(chan struct{})}
}

// wait waits for the answer, which always comes: at the end of the Invocation at
// the latest.
func (a *answer) wait() (*host.FetchResponse, error) {
	<-a.given
	return a.response, a.err
}

// status is that of the response; 0 if there is none.
func (a *answer) status() int {
	if a.response == nil {
		return 0
	}
	return a.response.Status
}

func (a *answer) hand() {
	a.handed = true
	close(a.given)
}

// Respond implements host.Responder. The answer counts only if the guest does not
// fail afterwards.
func (a *answer) Respond(status int, headers host.Headers, body []byte) error {
	if a.hasNoBody(status) {
		body = nil
	}
	held := &heldBody{memory: a.call.Memory, size: int64(len(body))}
	if held.memory != nil && !held.memory.Take(held.size) {
		return host.Errorf(host.CodeLimit, "the node has no memory left for a response of %d bytes", len(body))
	}
	held.Reader.Reset(clone(body))
	a.response = &host.FetchResponse{Status: status, Headers: passedOn(headers), Body: held}
	return nil
}

// Detach implements host.Responder.
func (a *answer) Detach() error {
	if !a.handed {
		a.whole()
		a.hand()
	}
	return nil
}

// whole has nobody wait for the guest any more.
func (a *answer) whole() {
	a.unwatch()
	a.shutBody()
	if a.goesOn != nil {
		a.goesOn()
	}
}

// Stream implements host.Responder.
func (a *answer) Stream(status int, headers host.Headers) (host.BodyWriter, error) {
	r, w := io.Pipe()
	stop := context.AfterFunc(a.call.Context(), func() { r.CloseWithError(errStreamOver) })
	a.response = &host.FetchResponse{Status: status, Headers: passedOn(headers), Body: &pipedBody{r, a}}
	if a.hasNoBody(status) {
		r.CloseWithError(errStreamOver)
		a.response.Body = io.NopCloser(bytes.NewReader(nil))
	}
	a.hand()
	return &pipedWriter{w, a, stop}, nil
}

func (a *answer) hasNoBody(status int) bool {
	return a.bodiless || status == 204 || status == 304
}

// shutBody: a request's body is not read once the answer is whole.
func (a *answer) shutBody() {
	if b, ok := a.call.Request.Body.(*givenBody); ok {
		b.shut()
	}
}

// end answers in place of a guest that did not, or whose answer doesn't count
// because it failed afterwards. body may be nil.
func (a *answer) end(outcome host.Outcome, body *givenBody) {
	a.unwatch()
	if a.handed {
		return
	}
	if outcome != host.OutcomeOK {
		if a.response != nil {
			a.response.Body.Close()
		}
		a.response, a.err = nil, a.failure(outcome, body)
	}
	a.hand()
}

// failure is what the caller is told: how the Invocation ended, and not why, as for
// every other client.
func (a *answer) failure(outcome host.Outcome, body *givenBody) error {
	switch {
	case body.exceeded():
		return host.Errorf(host.CodeTooLarge, "Function %s takes bodies of at most %d bytes; raise its limits.request_body_mb", a.function, a.call.Limits.RequestBody)
	case outcome == host.OutcomeExceededWallTime:
		return host.Errorf(host.CodeTimeout, "Function %s took longer than it may", a.function)
	case outcome == host.OutcomeCanceled:
		return host.Errorf(host.CodeCanceled, "the call of Function %s was given up", a.function)
	case outcome == host.OutcomeLoadShed:
		return host.Errorf(host.CodeUnavailable, "the node has no memory left to run Function %s; try again in a moment", a.function)
	}
	return host.Errorf(host.CodeUnavailable, "Function %s failed with outcome %s; the node's log says why, request id %s", a.function, outcome, a.call.ID)
}

// passedOn are a guest's headers as a client would get them.
func passedOn(headers host.Headers) (out host.Headers) {
	for name, value := range headers.All() {
		if !host.IsHopByHop(name) {
			out = appendField(out, name, value)
		}
	}
	return out
}

// appendField adds a field with its name in lower case.
func appendField(b host.Headers, name, value []byte) host.Headers {
	for _, c := range name {
		b = append(b, host.ASCIILower(c))
	}
	return append(append(append(b, 0), value...), 0)
}
