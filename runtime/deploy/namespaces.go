package deploy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// Bounds of namespaces. The number is Cloudflare's.
const (
	maxNamespaces = 1000 // of one account
	maxTitle      = 512  // bytes
)

// Namespace is a KV namespace of an account.
type Namespace struct {
	ID      string    `json:"id"` // 32 hexadecimal digits
	Account string    `json:"account"`
	Title   string    `json:"title"` // unique in the account
	Created time.Time `json:"created"`
	// Deleted namespaces are seen by nobody; their entries are being removed.
	Deleted bool `json:"deleted,omitempty"`
}

// CreateNamespace makes an empty namespace.
func (r *Registry) CreateNamespace(ctx context.Context, account, title string) (Namespace, error) {
	return r.putNamespace(ctx, func(s *snapshot) (Namespace, error) {
		ns := Namespace{ID: newHexID(), Account: account, Title: title, Created: r.now()}
		if _, err := s.account(account); err != nil {
			return ns, err
		}
		if n := len(s.namespacesOf(account)); n >= maxNamespaces {
			return ns, host.Errorf(host.CodeLimit, "account %s has %d KV namespaces, which is the limit", account, n)
		}
		return ns, s.checkTitle(ns)
	})
}

// RenameNamespace gives a namespace another title.
func (r *Registry) RenameNamespace(ctx context.Context, account, id, title string) (Namespace, error) {
	return r.putNamespace(ctx, func(s *snapshot) (Namespace, error) {
		ns, err := s.namespace(account, id)
		if err != nil {
			return ns, err
		}
		ns.Title = title
		return ns, s.checkTitle(ns)
	})
}

// DeleteNamespace removes a namespace at once and its entries in the
// background, also across restarts. One that an active Version is bound to
// stays.
func (r *Registry) DeleteNamespace(ctx context.Context, account, id string) error {
	ns, err := r.putNamespace(ctx, func(s *snapshot) (Namespace, error) {
		ns, err := s.namespace(account, id)
		if err != nil {
			return ns, err
		}
		ns.Deleted = true
		return ns, s.checkUnbound(ns)
	})
	if err == nil {
		r.retireBound(ns)
		r.wakeEmpty()
	}
	return err
}

// putNamespace writes the record that edit returns.
func (r *Registry) putNamespace(ctx context.Context, edit func(*snapshot) (Namespace, error)) (Namespace, error) {
	var ns Namespace
	err := r.exclusively(ctx, func(ctx context.Context) (err error) {
		next := r.current.Load().clone()
		if ns, err = edit(next); err != nil {
			return err
		}
		next.namespaces[ns.ID] = ns
		return r.putRecord(ctx, next, namespaceRecords+ns.ID, ns, ns.Deleted)
	})
	if err != nil {
		return Namespace{}, err
	}
	return ns, nil
}

func (s *snapshot) checkTitle(ns Namespace) error {
	if ns.Title == "" || len(ns.Title) > maxTitle || !utf8.ValidString(ns.Title) || strings.ContainsFunc(ns.Title, unicode.IsControl) {
		return invalid("the title of a KV namespace is 1 to %d bytes of text without control characters", maxTitle)
	}
	for _, other := range s.namespacesOf(ns.Account) {
		if other.Title == ns.Title && other.ID != ns.ID {
			return host.Errorf(host.CodeConflict, "a namespace with this account ID and title already exists")
		}
	}
	return nil
}

func (s *snapshot) checkUnbound(ns Namespace) error {
	if err := s.checkUnwatched(ns); err != nil {
		return err
	}
	for _, f := range s.functions {
		for _, a := range f.actives() {
			for _, b := range a.Version.Settings.KVNamespaces {
				if b.ID == ns.ID {
					return host.Errorf(host.CodeConflict, "KV namespace %q is bound to Function %s as %s; deploy it without, or delete it, first", ns.Title, f.Name, b.Binding)
				}
			}
		}
	}
	return nil
}

// namespacesOf returns those of an account, ordered by title.
func (s *snapshot) namespacesOf(account string) []Namespace {
	var list []Namespace
	for _, ns := range s.namespaces {
		if ns.Account == account && !ns.Deleted {
			list = append(list, ns)
		}
	}
	slices.SortFunc(list, func(a, b Namespace) int { return cmp.Compare(a.Title, b.Title) })
	return list
}

// Namespaces returns the namespaces of an account, ordered by title.
func (r *Registry) Namespaces(account string) ([]Namespace, error) {
	s := r.current.Load()
	if _, err := s.account(account); err != nil {
		return nil, err
	}
	return s.namespacesOf(account), nil
}

// Namespace returns one namespace of an account.
func (r *Registry) Namespace(account, id string) (Namespace, error) {
	return r.current.Load().namespace(account, id)
}

// Entries returns what a namespace holds. The store takes any key; the rules
// for users are the caller's to enforce.
func (r *Registry) Entries(account, id string) (kv.Store, error) {
	ns, err := r.Namespace(account, id)
	if err != nil {
		return nil, err
	}
	return r.entries(ns), nil
}

// EntriesPrefix begins the keys, in the store, of what a namespace holds.
func EntriesPrefix(id string) string { return userEntries + id + "/" }

func (r *Registry) wakeEmpty() {
	select {
	case r.deleted <- struct{}{}:
	default: // awake already
	}
}

// empty removes the entries of deleted namespaces and the messages of deleted queues,
// then their records, until ctx ends.
func (r *Registry) empty(ctx context.Context) {
	for {
		for _, ns := range r.current.Load().namespaces {
			if !ns.Deleted || !r.leads() {
				continue
			}
			if err := r.emptyNamespace(ctx, ns); err != nil && ctx.Err() == nil {
				r.cfg.Logger.Error("empty deleted namespace", "account", ns.Account, "namespace", ns.ID, "err", err)
			}
		}
		r.emptyQueues(ctx)
		select {
		case <-r.deleted:
		case <-ctx.Done():
			return
		}
	}
}

func (r *Registry) emptyNamespace(ctx context.Context, ns Namespace) error {
	err := keys(ctx, r.cfg.Store, EntriesPrefix(ns.ID), func(e kv.Entry) error {
		return r.cfg.Store.Delete(ctx, e.Key, kv.DeleteOptions{})
	})
	if err != nil {
		return err
	}
	return r.exclusively(ctx, func(ctx context.Context) error {
		next := r.current.Load().clone()
		if err := r.deleteRecord(ctx, next, namespaceRecords+ns.ID); err != nil {
			return fmt.Errorf("delete record: %w", err)
		}
		delete(next.namespaces, ns.ID)
		r.publish(next)
		return nil
	})
}
