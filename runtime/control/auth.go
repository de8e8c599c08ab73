package control

import (
	"net/http"
	"strings"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// The codes are Cloudflare's.
func unauthenticated() error {
	return &failure{http.StatusUnauthorized, 10000, "Authentication error"}
}

func forbidden() error {
	return &failure{http.StatusForbidden, 9109, "Unauthorized to access requested resource"}
}

// authenticate finds out whose token the request has.
func (r *request) authenticate() error {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token, ok := r.api.registry.Authenticate(strings.TrimSpace(text))
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		r.reply.Header().Set("WWW-Authenticate", `Bearer realm="mayfly"`)
		return unauthenticated()
	}
	r.token = token
	return nil
}

func (r *request) admin() bool { return r.token.Kind == deploy.KindAdmin }

// authorize lets administrators do everything, and others use what is for their
// account. The answer is the same whether another account exists or not.
func (r *request) authorize(rt *route) error {
	if err := r.ownAccount(); err != nil {
		return err
	}
	if rt.access == accessAdmin && !r.admin() {
		return forbidden()
	}
	return nil
}

func (r *request) ownAccount() error {
	if account, ok := r.params["account"]; ok && !r.admin() && account != r.token.Account {
		return forbidden()
	}
	return nil
}
