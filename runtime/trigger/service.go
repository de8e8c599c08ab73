package trigger

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/gate"
)

// Call answers a request of one Function by another, which find finds: an
// Invocation of its own, with its own limits, which the end of ctx cancels until
// its answer is whole. The errors of find are the caller's; besides, they are an
// *host.Error of CodeInvalid, CodeTooLarge (the callee's limits), CodeLimit (see
// host.Caller.Enter), CodeTimeout, CodeUnavailable (the callee failed, or has no
// room) or CodeCanceled.
func (r *Runner) Call(ctx context.Context, req *host.FetchRequest, find func() (*deploy.Active, error)) (*host.FetchResponse, error) {
	t, refused := calledTarget(req)
	if refused != nil {
		return nil, refused
	}
	for {
		active, err := find()
		if err != nil {
			return nil, err
		}
		if active.Assets != nil {
			if resp, err := active.Assets.Serve(ctx, req); resp != nil || err != nil {
				return resp, err
			}
		}
		snapshot, err := r.use(active)
		if err != nil {
			return nil, err
		}
		if snapshot != nil {
			return r.invoke(ctx, active, snapshot, t, req)
		}
	}
}

func (r *Runner) invoke(ctx context.Context, active *deploy.Active, snapshot *runtime.Snapshot, t called, req *host.FetchRequest) (*host.FetchResponse, error) {
	place, err := r.admit(ctx, active, req)
	if err != nil {
		snapshot.Done()
		return nil, err
	}
	e := &event{request: t.request(req), caller: req.Caller, answer: newAnswer(active.Function, req.Method),
		trigger: host.TriggerService, limits: active.Limits, leave: place.Leave}
	e.answer.goesOn = place.GoesOn
	if req.Body != nil && req.BodySize != 0 {
		e.body = &givenBody{source: req.Body, left: active.Limits.RequestBody}
	}
	r.begin(ctx, active, snapshot, e)
	return e.answer.wait()
}

// admit lets a call begin, until it leaves its place.
func (r *Runner) admit(ctx context.Context, active *deploy.Active, req *host.FetchRequest) (*deploy.Called, error) {
	own := &active.Version.Settings.Limits
	switch {
	case exceedsKB([]byte(req.URL), own.URLKB):
		return nil, host.Errorf(host.CodeTooLarge, "Function %s takes URLs of at most %d KiB", active.Function, own.URLKB)
	case exceedsKB(req.Headers, own.HeadersKB):
		return nil, host.Errorf(host.CodeTooLarge, "Function %s takes headers of at most %d KiB", active.Function, own.HeadersKB)
	case req.BodySize > active.Limits.RequestBody:
		return nil, host.Errorf(host.CodeTooLarge, "Function %s takes bodies of at most %d bytes; raise its limits.request_body_mb", active.Function, active.Limits.RequestBody)
	}
	if err := req.Caller.Enter(active.Function); err != nil {
		return nil, err
	}
	place, err := active.EnterCalled(ctx)
	if errors.Is(err, gate.ErrFull) {
		return nil, host.Errorf(host.CodeUnavailable, "Function %s has too many requests at the same time; try again in a moment", active.Function)
	}
	return place, err
}

// called is the address of a call, after calledTarget.
type called struct{ scheme, host, path string }

// calledTarget reads the URL of a call, by the same rules as those of requests
// from outside, and its method.
func calledTarget(req *host.FetchRequest) (t called, err *host.Error) {
	if r := checkMethod([]byte(req.Method)); r != nil {
		return t, host.Errorf(host.CodeInvalid, "%s", r.reason)
	}
	url, _, _ := strings.Cut(req.URL, "#")
	scheme, rest, ok := strings.Cut(url, "://")
	t.scheme = strings.ToLower(scheme)
	if !ok || t.scheme != "http" && t.scheme != "https" {
		return t, host.Errorf(host.CodeInvalid, "URL must be absolute, as in https://service/path; any host will do")
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	t.host, t.path = rest[:end], rest[end:]
	if !strings.HasPrefix(t.path, "/") {
		t.path = "/" + t.path
	}
	switch {
	case !validHost([]byte(t.host)):
		return t, host.Errorf(host.CodeInvalid, "URL has no host, or one that is none; it reads like https://service/path?query")
	case !validPath([]byte(t.path)):
		return t, host.Errorf(host.CodeInvalid, "URL holds what must be percent-encoded, or a %% without two digits")
	}
	return t, nil
}

// request is what the callee sees. What it is told of the client is the node's own
// word, as in a request from outside.
func (t called) request(req *host.FetchRequest) host.Request {
	h := host.Headers{}.Add("host", t.host)
	for name, value := range req.Headers.All() {
		if !host.IsHopByHop(name) && !isAboutClient(name) && !isSetByNode(name, req) {
			h = appendField(h, name, value)
		}
	}
	if req.BodySize > 0 {
		h = h.Add("content-length", strconv.FormatInt(req.BodySize, 10))
	}
	if req.Loop != "" {
		h = h.Add("cdn-loop", req.Loop)
	}
	h = addTrace(h, req)
	client := req.Caller.Client.String()
	h = h.Add("cf-connecting-ip", client).Add("x-forwarded-proto", t.scheme).Add("x-forwarded-for", client)
	return host.Request{
		Method: []byte(req.Method), URL: []byte(t.scheme + "://" + t.host + t.path), Headers: h, Client: req.Caller.Client,
		Traced: inTrace(req) && req.Traced,
	}
}

// isSetByNode names the fields that follow from the URL and the request before.
func isSetByNode(name []byte, req *host.FetchRequest) bool {
	return isField(name, "host") || isField(name, "cdn-loop") ||
		inTrace(req) && (isField(name, "traceparent") || isField(name, "tracestate"))
}

func isField(name []byte, lower string) bool {
	return len(name) == len(lower) && equalLower(name, lower)
}

// inTrace says whether the call belongs to the trace of the request before.
func inTrace(req *host.FetchRequest) bool { return req.TraceParent != "" && !req.OwnTrace }

func addTrace(h host.Headers, req *host.FetchRequest) host.Headers {
	if !inTrace(req) {
		return h
	}
	h = h.Add("traceparent", req.TraceParent)
	if req.TraceState != "" {
		h = h.Add("tracestate", req.TraceState)
	}
	return h
}
