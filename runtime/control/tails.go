package control

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// tailPath begins the path at which a tail is read. The ticket that follows is all
// that its reader has to show.
const tailPath = "/tails/"

type tailJSON struct {
	ID        string    `json:"id"`
	URL       string    `json:"url,omitempty"` // of a tail that was just made
	ExpiresAt time.Time `json:"expires_at"`
}

// createTail is what wrangler tail begins with
// (https://developers.cloudflare.com/api/resources/workers/subresources/scripts/subresources/tail/).
func createTail(r *request) error {
	if _, _, err := r.function(); err != nil {
		return err
	}
	r.limitBody(maxJSON)
	body, err := readAll(r.Body)
	if err != nil {
		return err
	}
	filter, err := telemetry.ParseFilters(body, r.client())
	if err != nil {
		return badRequest("%v", err)
	}
	t, err := r.api.cfg.Observer.OpenTail(r.account(), r.params["script"], filter, r.stillValid())
	if err != nil {
		return err
	}
	r.note("tail", t.ID)
	return r.ok(tailJSON{t.ID, r.webSocketURL(tailPath + t.Ticket), t.Expires})
}

// client is the address of whoever asks; the zero Addr if that can't be told.
func (r *request) client() netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr()
}

// stillValid asks whether the request's token is still good, and for what the request
// was about.
func (r *request) stillValid() func() bool {
	api, token, access := r.api, r.token, r.access
	return func() bool {
		all, err := api.registry.Tokens(token.Account)
		return err == nil && slices.ContainsFunc(all, func(t deploy.Token) bool {
			return t.ID == token.ID && t.Status(api.cfg.Now()) == deploy.TokenActive && t.May(deploy.Scopes(access))
		})
	}
}

// webSocketURL is a URL at which the client reaches this listener as it did now.
func (r *request) webSocketURL(path string) string {
	scheme := "ws://"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "wss://"
	}
	return scheme + r.Host + path
}

func listTails(r *request) error {
	if _, _, err := r.function(); err != nil {
		return err
	}
	list := []tailJSON{}
	for _, t := range r.api.cfg.Observer.Tails(r.account(), r.params["script"]) {
		list = append(list, tailJSON{ID: t.ID, ExpiresAt: t.Expires})
	}
	return r.ok(list)
}

// deleteTail: wrangler ends the connection first, and with it the tail.
func deleteTail(r *request) error {
	if _, _, err := r.function(); err != nil {
		return err
	}
	r.api.cfg.Observer.CloseTail(r.account(), r.params["script"], r.params["tail"])
	return r.ok(map[string]string{"id": r.params["tail"]})
}

// serveTail shows a tail to its reader.
func (r *request) serveTail(ticket string) error {
	err := r.api.cfg.Observer.ServeTail(r.reply, r.Request, ticket)
	switch {
	case errors.Is(err, telemetry.ErrNotTail):
		return &failure{http.StatusUpgradeRequired, 0, err.Error()}
	case errors.Is(err, telemetry.ErrNoTail):
		return &failure{http.StatusNotFound, 0, err.Error()}
	}
	r.replied = true
	return err
}
