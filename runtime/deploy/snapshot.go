package deploy

import (
	"fmt"
	"maps"

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
}

// deployed is a Function that serves.
type deployed struct {
	Function
	revision uint64         // of the record
	host     router.Pattern // its own host, all paths
	serving  *Serving
	previews *previews // the same as long as the Function is there
}

// main is the Version that answers most requests.
func (d *deployed) main() *Active { return d.serving.Main() }

func newSnapshot() *snapshot {
	return &snapshot{
		functions:  map[functionID]*deployed{},
		namespaces: map[string]Namespace{},
		queues:     map[string]Queue{},
		accounts:   map[string]Account{},
		tokens:     map[string]Token{},
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
	}
}

// buildTable brings the table up to date with the Functions.
func (s *snapshot) buildTable() error {
	var routes []router.Route[*Serving]
	for _, f := range s.functions {
		own := f.Hidden
		for _, r := range f.Routes {
			own = own || r.Pattern == f.host
			routes = append(routes, router.Route[*Serving]{Pattern: r.Pattern, Target: f.serving, Negate: r.Disabled})
		}
		if !own {
			routes = append(routes, router.Route[*Serving]{Pattern: f.host, Target: f.serving})
		}
	}
	table, err := router.NewTable(routes)
	if err != nil {
		return fmt.Errorf("build route table: %w", err)
	}
	s.table = table
	return nil
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
