package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// failure is an error as the client gets it.
type failure struct {
	status int // of HTTP
	code   int // Cloudflare's where it has one, else 10000 + status
	msg    string
}

func (f *failure) Error() string { return f.msg }

func badRequest(format string, args ...any) error {
	return host.Errorf(host.CodeInvalid, format, args...)
}

func noRoute(path string) error {
	return &failure{http.StatusNotFound, 7000, fmt.Sprintf("No route for that URI: %s", path)}
}

func wrongMethod(r *request, allowed []string) error {
	r.reply.Header().Set("Allow", strings.Join(allowed, ", "))
	return &failure{http.StatusMethodNotAllowed, 10405, fmt.Sprintf("Method %s is not allowed here; %s is", r.Method, strings.Join(allowed, ", "))}
}

// fail answers with an error. Internal ones go to the log instead.
func (r *request) fail(err error) {
	f := r.public(err)
	if f.status == http.StatusInternalServerError {
		r.api.cfg.Logger.Error("control API", "request", r.id, "method", r.Method, "account", r.account(), "token", r.token.ID, "err", err)
	}
	if !r.replied {
		r.send(f.status, failed(f))
	}
}

func (r *request) internal() *failure {
	return &failure{http.StatusInternalServerError, 10500, "internal error; the node's log has the details of request " + r.id}
}

// public is the one place that turns errors into what clients see.
func (r *request) public(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		if f.code == 0 {
			f.code = 10000 + f.status
		}
		return f
	}
	if e, ok := errors.AsType[*kv.LimitError](err); ok {
		return &failure{e.Status, cmp.Or(e.Code, 10000+e.Status), e.Msg}
	}
	if e, ok := errors.AsType[*deploy.NoQueueHandlerError](err); ok {
		return &failure{http.StatusBadRequest, codeNoQueueHandler, e.Error()}
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return r.of(host.CodeTooLarge, fmt.Sprintf("the body is longer than %d bytes", e.Limit))
	}
	if e, ok := errors.AsType[*host.Error](err); ok && e.Code != host.CodeInternal {
		return r.of(e.Code, e.Msg)
	}
	switch {
	case errors.Is(err, kv.ErrCursor):
		return r.of(host.CodeInvalid, "the cursor is not one of this listing")
	case errors.Is(err, kv.ErrConflict):
		return r.of(host.CodeConflict, "this was changed by others meanwhile; try again")
	case errors.Is(err, kv.ErrNoSpace):
		return &failure{http.StatusInsufficientStorage, 10000 + http.StatusInsufficientStorage,
			"the node's disk is nearly full, and this was not stored; reads, requests and deletions go on. Free space on its volume, or have its administrator lower reserve_mb, and try again"}
	case errors.Is(err, kv.ErrUnavailable):
		return r.of(host.CodeUnavailable, "the node can't reach its cluster, and nothing is known to be changed; reads and requests go on. Try again once it is back: GET /healthz tells")
	case errors.Is(err, kv.ErrClosed):
		return r.of(host.CodeUnavailable, "the node is shutting down")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return r.of(host.CodeCanceled, "the request was given up")
	}
	return r.internal()
}

func (r *request) of(c host.Code, msg string) *failure {
	status := statusOf(c)
	code := 10000 + status
	switch {
	case r.area == areaScripts && c == host.CodeNotFound:
		code = 10007
	case r.area == areaScripts && c == host.CodeInvalid:
		code = 10021
	case r.area == areaScripts && c == host.CodeTooLarge:
		code = 10027
	case r.area == areaKV && c == host.CodeNotFound:
		code = 10013
	case r.area == areaKV && c == host.CodeConflict:
		code = 10014
	case r.area == areaQueues || r.area == areaMessages:
		code = r.queueCode(c, code)
	}
	return &failure{status, code, msg}
}

func statusOf(c host.Code) int {
	switch c {
	case host.CodeInvalid, host.CodeUnsupported:
		return http.StatusBadRequest
	case host.CodeDenied:
		return http.StatusForbidden
	case host.CodeNotFound:
		return http.StatusNotFound
	case host.CodeCanceled:
		return http.StatusRequestTimeout
	case host.CodeConflict, host.CodeState:
		return http.StatusConflict
	case host.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case host.CodeLimit:
		return http.StatusTooManyRequests
	case host.CodeUnavailable:
		return http.StatusServiceUnavailable
	case host.CodeTimeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}
