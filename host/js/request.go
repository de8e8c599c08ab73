package js

import (
	"github.com/mayfly-run/mayfly/host"
)

var requestOps = []operation{
	{"opMethod", func(q *query) (kind, error) { return q.give(string(q.Request.Method)) }},
	{"opURL", func(q *query) (kind, error) { return q.give(string(q.Request.URL)) }},
	{"opHeaders", func(q *query) (kind, error) { return q.give(fromLatin1(q.Request.Headers)) }},
	{"opHeader", header},
	{"opRespond", respond},
	{"opStream", stream},
	{"opDetach", detach},
	{"opSettled", func(q *query) (kind, error) { q.settled = true; return noValue, nil }},
}

// header gives the values of the field named text, joined, or null.
func header(q *query) (kind, error) {
	if len(q.text) > host.MaxHeaders {
		return null, nil
	}
	value, ok := q.Request.Headers.Joined(string(q.text))
	if !ok {
		return null, nil
	}
	return q.give(fromLatin1([]byte(value)))
}

// settledFlag in the n of opRespond says that nothing is to be done behind it.
const settledFlag = 1 << 16

// respond answers: n is the status, text the block of headers, data the body.
func respond(q *query) (kind, error) {
	headers, err := answer(q)
	if err != nil {
		return 0, err
	}
	if int64(len(q.data)) > q.Limits.Response {
		return 0, host.Errorf(host.CodeTooLarge, "a response of %d bytes exceeds the limit of %d; stream it", len(q.data), q.Limits.Response)
	}
	if err := q.Responder.Respond(int(q.n&^settledFlag), headers, q.data); err != nil {
		return 0, err
	}
	q.Responded = true
	q.settled = q.n&settledFlag != 0
	q.Usage.BytesOut += int64(len(q.data))
	return noValue, nil
}

// answer checks status and headers.
func answer(q *query) (host.Headers, error) {
	if q.Responded {
		return nil, host.Errorf(host.CodeState, "this request has been answered already")
	}
	if status := q.n &^ settledFlag; status < 200 || status > 599 {
		return nil, host.Errorf(host.CodeInvalid, "status %d is not between 200 and 599", status)
	}
	if len(q.text) > 2*host.MaxHeaders {
		return nil, host.Errorf(host.CodeTooLarge, "header block of %d bytes exceeds the limit of %d", len(q.text), host.MaxHeaders)
	}
	headers := host.Headers(toLatin1(q.text))
	if err := headers.Check(); err != nil {
		return nil, err
	}
	return headers, nil
}

// stream sends status and headers and gives the handle of the body to write, or
// null if this Invocation can only answer as a whole.
func stream(q *query) (kind, error) {
	headers, err := answer(q)
	if err != nil {
		return 0, err
	}
	if err := q.Handles.Room(); err != nil {
		return 0, err
	}
	w, streamErr := q.Responder.Stream(int(q.n), headers)
	if host.CodeOf(streamErr) == host.CodeUnsupported {
		return null, nil
	}
	if streamErr != nil {
		return 0, streamErr
	}
	q.Responded = true
	return q.open(w)
}

// detach sends the answer now, so that the Worker may go on. Where it can't be
// sent before the Worker has ended, the Worker goes on all the same.
func detach(q *query) (kind, error) {
	if q.Detached || !q.Responded {
		return noValue, nil
	}
	if err := q.Responder.Detach(); err != nil {
		if host.CodeOf(err) == host.CodeUnsupported {
			return noValue, nil
		}
		return 0, err
	}
	q.Detached = true
	q.Extend(q.Limits.AfterResponse)
	return noValue, nil
}

// open gives the handle of v.
func (q *query) open(v any) (kind, error) {
	h, err := q.Handles.Add(v)
	if err != nil {
		return 0, err
	}
	return integer(int(h)), nil
}
