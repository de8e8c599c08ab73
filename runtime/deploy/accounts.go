package deploy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// Local is the account that always exists. It may claim every host that no
// other account has below the node's domain.
const Local = "local"

// maxHosts bounds the hosts granted to one account.
const maxHosts = 100

// Account separates tenants: nothing of one is visible to another.
type Account struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	// Hosts are what the Routes of its Functions may claim, beside what is below
	// <name>.<domain>: names, or "*." and a domain for what is below it.
	Hosts []string `json:"hosts"`
}

func localAccount() Account { return Account{Name: Local, Hosts: []string{"*"}} }

// CreateAccount makes an account. Its name follows the rule for Functions.
func (r *Registry) CreateAccount(ctx context.Context, name string, hosts []string) (Account, error) {
	if err := CheckName(name); err != nil {
		return Account{}, invalid("%v", err)
	}
	if err := checkHosts(hosts); err != nil {
		return Account{}, err
	}
	a := Account{Name: name, Created: r.now(), Hosts: hosts}
	err := r.exclusively(ctx, func(ctx context.Context) error {
		next := r.current.Load().clone()
		if err := r.mayCreate(next, name); err != nil {
			return err
		}
		next.accounts[name] = a
		return r.putRecord(ctx, next, accountRecords+name, a, false)
	})
	if err != nil {
		return Account{}, err
	}
	return a, nil
}

func checkHosts(hosts []string) error {
	if len(hosts) > maxHosts {
		return invalid("%d hosts were given; at most %d are allowed", len(hosts), maxHosts)
	}
	for _, h := range hosts {
		if _, err := parseGrant(h); err != nil {
			return err
		}
	}
	return nil
}

// SetAccountHosts says anew which hosts the Routes of an account may claim. Those that
// its Routes have already stay granted until the Routes are removed.
func (r *Registry) SetAccountHosts(ctx context.Context, name string, hosts []string) (a Account, err error) {
	if err := checkHosts(hosts); err != nil {
		return Account{}, err
	}
	if name == Local {
		return Account{}, host.Errorf(host.CodeDenied, "account %s may claim every host, always", Local)
	}
	err = r.exclusively(ctx, func(ctx context.Context) (err error) {
		next := r.current.Load().clone()
		if a, err = next.account(name); err != nil {
			return err
		}
		a.Hosts = hosts
		if err := r.claimed(next, a); err != nil {
			return err
		}
		next.accounts[name] = a
		return r.putRecord(ctx, next, accountRecords+name, a, false)
	})
	return a, err
}

// claimed refuses an account without the hosts that its Routes have.
func (r *Registry) claimed(s *snapshot, a Account) error {
	for id, f := range s.functions {
		if id.account != a.Name {
			continue
		}
		for _, route := range f.Routes {
			if r.checkClaims(s, a, []Route{route}) != nil {
				return host.Errorf(host.CodeConflict, "route %q of Function %s is on a host that account %s could not claim then; remove it first, or grant its host too", route.Pattern, id.name, a.Name)
			}
		}
	}
	return nil
}

// mayCreate refuses a name that is taken, also by a Route on a host that would
// be the new account's.
func (r *Registry) mayCreate(s *snapshot, name string) error {
	if _, err := s.account(name); err == nil {
		return host.Errorf(host.CodeConflict, "account %q exists already", name)
	}
	own := zone(name + "." + r.cfg.Domain)
	for _, f := range s.functions {
		for _, route := range f.Routes {
			if own.Covers(route.Pattern) {
				return host.Errorf(host.CodeConflict, "route %q of Function %s in account %s is on a host that would be the new account's; choose another name", route.Pattern, f.Name, f.Account)
			}
		}
	}
	return nil
}

// Accounts returns all accounts, ordered by name.
func (r *Registry) Accounts() []Account {
	list := []Account{localAccount()}
	for _, a := range r.current.Load().accounts {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b Account) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Account returns one account.
func (r *Registry) Account(name string) (Account, error) { return r.current.Load().account(name) }

// DeleteAccount removes an account, its tokens and its data key. Functions, namespaces
// and queues are removed first, by their owner.
func (r *Registry) DeleteAccount(ctx context.Context, name string) error {
	return r.exclusively(ctx, func(ctx context.Context) error { return r.deleteAccount(ctx, name) })
}

// deleteAccount needs r.mu.
func (r *Registry) deleteAccount(ctx context.Context, name string) error {
	s := r.current.Load()
	if err := mayDelete(s, name); err != nil {
		return err
	}
	for _, t := range s.tokensOf(name) { // first, so that none is left of an account made anew
		if err := r.revoke(ctx, t); err != nil {
			return err
		}
	}
	if r.cfg.Secrets != nil { // before the account, for the same reason
		if err := r.cfg.Secrets.Forget(ctx, name); err != nil {
			return err
		}
	}
	if err := r.endSessions(ctx, name); err != nil {
		return err
	}
	next := r.current.Load().clone()
	if err := r.deleteRecord(ctx, next, accountRecords+name); err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	delete(next.accounts, name)
	r.publish(next)
	r.forget(name)
	return nil
}

// forget drops what the node has in memory of an account that is gone.
func (r *Registry) forget(account string) {
	r.limits.Forget(account)
	r.shares.forget(account)
	r.files.unsweep(account)
}

func mayDelete(s *snapshot, name string) error {
	if name == Local {
		return host.Errorf(host.CodeDenied, "account %s cannot be deleted", Local)
	}
	if _, err := s.account(name); err != nil {
		return err
	}
	for id := range s.functions {
		if id.account == name {
			return host.Errorf(host.CodeConflict, "account %s still has Function %s; delete its Functions first", name, id.name)
		}
	}
	for _, ns := range s.namespaces {
		if ns.Account == name && !ns.Deleted {
			return host.Errorf(host.CodeConflict, "account %s still has KV namespace %q; delete its namespaces first", name, ns.Title)
		}
	}
	for _, q := range s.queuesOf(name) {
		return host.Errorf(host.CodeConflict, "account %s still has queue %q; delete its queues first", name, q.Name)
	}
	return nil
}
