package control

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// The codes are Cloudflare's.
func unauthenticated() error {
	return &failure{http.StatusUnauthorized, 10000, "Authentication error"}
}

func forbidden() error {
	return &failure{http.StatusForbidden, 9109, "Unauthorized to access requested resource"}
}

func throttled() error {
	return &failure{http.StatusTooManyRequests, 971, "Please wait and consider throttling your request speed: too many requests without a good token"}
}

// authenticate finds out whose token the request has.
func (r *request) authenticate() error {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		text = ""
	}
	if r.authenticateSession(strings.TrimSpace(text)) {
		return nil
	}
	token, ok := r.api.registry.Authenticate(strings.TrimSpace(text))
	if wait := r.api.failures.check(r.RemoteAddr, token.ID, ok); wait > 0 {
		r.reply.Header().Set("Retry-After", strconv.FormatInt(int64(wait/time.Second)+1, 10))
		return throttled()
	}
	if ok {
		r.token = token
		r.api.registry.NoteUse(r.Context(), token)
		return nil
	}
	r.reply.Header().Set("WWW-Authenticate", `Bearer realm="mayfly"`)
	if token.ID == "" {
		return unauthenticated()
	}
	return r.ended(token)
}

// ended is for a token that was good once. Whoever has it may know why it is not.
func (r *request) ended(t deploy.Token) error {
	r.note("ended_token", t.ID)
	if t.Disabled {
		return &failure{http.StatusUnauthorized, 10000, "Authentication error: this token is disabled"}
	}
	return &failure{http.StatusUnauthorized, 10000, "Authentication error: this token expired at " + t.Expires.Format(time.RFC3339)}
}

func (r *request) admin() bool { return r.token.Kind == deploy.KindAdmin }

// authorize lets administrators do everything, and others what their scopes are
// for in their account. The answer is the same whether another account exists or
// not.
func (r *request) authorize(rt *route) error {
	r.access = rt.access
	if err := r.ownAccount(); err != nil {
		return err
	}
	if r.session != "" && rt.path != assetUploadPath {
		return forbidden()
	}
	if rt.access == accessAny || r.token.May(deploy.Scopes(rt.access)) {
		return nil
	}
	return forbidden()
}

func (r *request) ownAccount() error {
	if account, ok := r.params["account"]; ok && !r.admin() && account != r.token.Account {
		return forbidden()
	}
	return nil
}
