package deploy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/router"
)

// snapshot is everything the Registry knows, as of one moment. It is immutable
// once published; a change is a new one.
type snapshot struct {
	table      *router.Table[*Serving]
	functions  map[functionID]*deployed
	namespaces map[string]Namespace // by id
	queues     map[string]Queue     // by id
	accounts   map[string]Account   // by name; without local
	tokens     map[string]Token     // by id
	// revisions are those of the records of accounts, namespaces and tokens, by key.
	revisions map[string]uint64
	// disputed are the patterns that two Functions have: see resolve.
	disputed []router.Pattern
}

// deployed is a Function that serves.
type deployed struct {
	Function
	revision uint64         // of the record
	host     router.Pattern // its own host, all paths
	serving  *Serving       // what the record says
	// live is what requests get: serving, or what served before while that is loaded.
	live     *Serving
	previews *previews // the same as long as the Function is there
}

// actives are those that serve, and those that will.
func (d *deployed) actives() []*Active {
	if d.live == d.serving {
		return d.serving.actives()
	}
	return append(d.live.actives(), d.serving.actives()...)
}

// has says whether one of the Versions runs there.
func (d *deployed) has(r *residence) bool { return d.serving.has(r) || d.live.has(r) }

// main is the Version that answers most requests.
func (d *deployed) main() *Active { return d.serving.Main() }

func newSnapshot() *snapshot {
	return &snapshot{
		functions:  map[functionID]*deployed{},
		namespaces: map[string]Namespace{},
		queues:     map[string]Queue{},
		accounts:   map[string]Account{},
		tokens:     map[string]Token{},
		revisions:  map[string]uint64{},
	}
}

func (s *snapshot) clone() *snapshot {
	return &snapshot{
		table:      s.table,
		functions:  maps.Clone(s.functions),
		namespaces: maps.Clone(s.namespaces),
		queues:     maps.Clone(s.queues),
		accounts:   maps.Clone(s.accounts),
		tokens:     maps.Clone(s.tokens),
		revisions:  maps.Clone(s.revisions),
	}
}

// buildTable brings the table up to date with the Functions.
func (s *snapshot) buildTable() error {
	var routes []router.Route[*Serving]
	for _, f := range s.functions {
		routes = append(routes, f.routes()...)
	}
	table, err := router.NewTable(routes)
	s.disputed = nil
	if err != nil {
		table, err = router.NewTable(s.resolve())
	}
	if err != nil {
		return fmt.Errorf("build route table: %w", err)
	}
	s.table = table
	return nil
}

// routes are what leads to a Function.
func (d *deployed) routes() (list []router.Route[*Serving]) {
	own := d.Hidden
	for _, r := range d.Routes {
		own = own || r.Pattern == d.host
		list = append(list, router.Route[*Serving]{Pattern: r.Pattern, Target: d.live, Negate: r.Disabled})
	}
	if !own {
		list = append(list, router.Route[*Serving]{Pattern: d.host, Target: d.live})
	}
	return list
}

// resolve leaves out what another Function has already, by the age of their records,
// so that all nodes agree. There is such a pattern while it moves from one Function to
// another, and after a write that came too late to be stopped.
func (s *snapshot) resolve() (routes []router.Route[*Serving]) {
	taken := map[router.Pattern]bool{}
	byAge := slices.SortedFunc(maps.Values(s.functions), func(a, b *deployed) int {
		return cmp.Or(cmp.Compare(a.revision, b.revision), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Name, b.Name))
	})
	for _, f := range byAge {
		for _, r := range f.routes() {
			if taken[r.Pattern] {
				s.disputed = append(s.disputed, r.Pattern)
				continue
			}
			taken[r.Pattern] = true
			routes = append(routes, r)
		}
	}
	return routes
}

// account finds an account by its name.
func (s *snapshot) account(name string) (Account, error) {
	if name == Local {
		return localAccount(), nil
	}
	if a, ok := s.accounts[name]; ok {
		return a, nil
	}
	return Account{}, host.Errorf(host.CodeNotFound, "account %q does not exist", name)
}

// function finds a Function of an account.
func (s *snapshot) function(account, name string) (*deployed, error) {
	if _, err := s.account(account); err != nil {
		return nil, err
	}
	if f, ok := s.functions[functionID{account, name}]; ok {
		return f, nil
	}
	return nil, host.Errorf(host.CodeNotFound, "Function %q does not exist in account %s", name, account)
}

// namespace finds a namespace of an account. One of another account does not
// exist as far as the caller can tell.
func (s *snapshot) namespace(account, id string) (Namespace, error) {
	if _, err := s.account(account); err != nil {
		return Namespace{}, err
	}
	if ns, ok := s.namespaces[id]; ok && ns.Account == account && !ns.Deleted {
		return ns, nil
	}
	return Namespace{}, host.Errorf(host.CodeNotFound, "KV namespace %q does not exist in account %s", id, account)
}
