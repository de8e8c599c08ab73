package control

import (
	"cmp"
	"strings"

	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/router"
)

// zoneJSON is a domain with its DNS. A node has none of that: for wrangler, which
// looks for conflicts in a route's zone, every host is one of the account it asks for.
type zoneJSON struct {
	ID      string      `json:"id"` // the account, ":" and the host
	Name    string      `json:"name"`
	Status  string      `json:"status"`
	Account accountJSON `json:"account"`
}

func listZones(r *request) error {
	name := r.URL.Query().Get("name")
	a, err := r.zoneAccount(r.URL.Query().Get("account.id"))
	if err != nil {
		return err
	}
	list := []zoneJSON{}
	if host, err := router.ParseHost(name); err == nil {
		list = append(list, zoneJSON{a.Name + ":" + host, host, "active", accountOf(a)})
	}
	part, info, err := paginate(r, list)
	if err != nil {
		return err
	}
	return r.page(part, info)
}

// zoneAccount is the one that is asked for, or else the token's.
func (r *request) zoneAccount(name string) (deploy.Account, error) {
	name = cmp.Or(name, r.token.Account, deploy.Local)
	if !r.admin() && name != r.token.Account {
		return deploy.Account{}, forbidden()
	}
	return r.api.registry.Account(name)
}

// listZoneRoutes are all routes of the zone's account. A zone that is Cloudflare's,
// from a configuration, is of the token's account.
func listZoneRoutes(r *request) error {
	account, _, ours := strings.Cut(r.params["zone"], ":")
	if !ours {
		account = ""
	}
	a, err := r.zoneAccount(account)
	if err != nil {
		return err
	}
	return r.pageRoutes(a.Name)
}
