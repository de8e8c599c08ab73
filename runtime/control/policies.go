package control

import (
	"cmp"
	"strings"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// policyJSON is how Cloudflare says what a token may do.
// https://developers.cloudflare.com/fundamentals/api/how-to/create-via-api/
type policyJSON struct {
	ID               string            `json:"id,omitempty"`
	Effect           string            `json:"effect"`
	Resources        map[string]string `json:"resources"`
	PermissionGroups []permissionGroup `json:"permission_groups"`
}

// permissionGroup is a scope under the nearest name that Cloudflare has for it.
type permissionGroup struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Scopes are what Cloudflare calls the kind of resource.
	Scopes []string `json:"scopes,omitempty"`
}

const accountResource = "com.cloudflare.api.account"

func permissionGroups() []permissionGroup {
	group := func(id, name string) permissionGroup {
		return permissionGroup{id, name, []string{accountResource}}
	}
	return []permissionGroup{
		group("read", "Workers Scripts Read"),
		group("deploy", "Workers Scripts Write"),
		group("kv", "Workers KV Storage Write"),
		group("queues", "Queues Write"),
		group("admin", "Account API Tokens Write"),
	}
}

func listPermissionGroups(r *request) error { return r.ok(permissionGroups()) }

func policyOf(t deploy.Token) policyJSON {
	p := policyJSON{ID: t.ID, Effect: "allow", Resources: map[string]string{accountResource + "." + t.Account: "*"}}
	for _, scope := range t.ScopeNames() {
		for _, g := range permissionGroups() {
			if g.ID == scope {
				p.PermissionGroups = append(p.PermissionGroups, permissionGroup{ID: g.ID, Name: g.Name})
			}
		}
	}
	return p
}

// scopesOf reads the policies of a token of an account.
func scopesOf(account string, policies []policyJSON) (deploy.Scopes, error) {
	if account == "" {
		return 0, badRequest("a token for administrators may do everything; make one with policies at accounts/{account}/tokens")
	}
	var names []string
	for _, p := range policies {
		if p.Effect != "allow" {
			return 0, badRequest(`the effect of a policy is %q; only "allow" is offered`, p.Effect)
		}
		if want := accountResource + "." + account; len(p.Resources) != 1 || p.Resources[want] != "*" {
			return 0, badRequest(`the resources of a policy have to be {"%s": "*"} here`, want)
		}
		for _, g := range p.PermissionGroups {
			names = append(names, scopeOf(g))
		}
	}
	return deploy.ParseScopes(names)
}

// scopeOf is the scope that a group means, by its id or its name.
func scopeOf(g permissionGroup) string {
	for _, known := range permissionGroups() {
		if strings.EqualFold(g.ID, known.ID) || g.ID == "" && strings.EqualFold(g.Name, known.Name) {
			return known.ID
		}
	}
	return cmp.Or(g.ID, g.Name)
}
