package control

import (
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

type accountJSON struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Type      string     `json:"type"`
	CreatedOn *time.Time `json:"created_on,omitempty"`
	Hosts     []string   `json:"hosts,omitempty"`
}

func accountOf(a deploy.Account) accountJSON {
	j := accountJSON{ID: a.Name, Name: a.Name, Type: "standard", Hosts: a.Hosts}
	if !a.Created.IsZero() {
		j.CreatedOn = &a.Created
	}
	return j
}

// visible are the accounts that the token is good for.
func (r *request) visible() []accountJSON {
	list := []accountJSON{}
	for _, a := range r.api.registry.Accounts() {
		if r.admin() || a.Name == r.token.Account {
			list = append(list, accountOf(a))
		}
	}
	return list
}

func listAccounts(r *request) error {
	list := r.visible()
	part, info, err := paginate(r, list)
	if err != nil {
		return err
	}
	return r.page(part, info)
}

func getAccount(r *request) error {
	a, err := r.api.registry.Account(r.account())
	if err != nil {
		return err
	}
	return r.ok(accountOf(a))
}

func createAccount(r *request) error {
	var in struct {
		Name  string   `json:"name"`
		Hosts []string `json:"hosts"`
	}
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	a, err := r.api.registry.CreateAccount(r.Context(), in.Name, in.Hosts)
	if err != nil {
		return err
	}
	r.note("new_account", a.Name)
	return r.ok(accountOf(a))
}

func updateAccount(r *request) error {
	var in struct {
		Hosts *[]string `json:"hosts"`
	}
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	if in.Hosts == nil {
		return host.Errorf(host.CodeInvalid, "hosts is missing: the list of all hosts that the account's routes may claim; [] for none")
	}
	a, err := r.api.registry.SetAccountHosts(r.Context(), r.account(), *in.Hosts)
	if err != nil {
		return err
	}
	r.note("hosts", strings.Join(a.Hosts, " "))
	return r.ok(accountOf(a))
}

func deleteAccount(r *request) error {
	if err := r.api.registry.DeleteAccount(r.Context(), r.account()); err != nil {
		return err
	}
	r.api.cfg.Observer.Forget(r.account(), "")
	if r.api.cfg.Ledger != nil {
		if err := r.api.cfg.Ledger.Forget(r.Context(), r.account()); err != nil {
			return err
		}
	}
	return r.ok(map[string]string{"id": r.account()})
}

func listMemberships(r *request) error {
	type membership struct {
		ID      string      `json:"id"`
		Status  string      `json:"status"`
		Account accountJSON `json:"account"`
	}
	list := []membership{}
	for _, a := range r.visible() {
		list = append(list, membership{r.token.ID, "accepted", a})
	}
	part, info, err := paginate(r, list)
	if err != nil {
		return err
	}
	return r.page(part, info)
}

// getUser describes the token, because a node has no users.
func getUser(r *request) error {
	return r.ok(map[string]any{"id": r.token.ID, "email": nil, "username": r.token.Name})
}
