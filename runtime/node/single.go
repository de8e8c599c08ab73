package node

import "github.com/mayfly-run/mayfly/runtime/deploy"

// single has one Function answer, whatever the request's host.
type single struct {
	registry *deploy.Registry
	host     []byte
}

// Lookup implements trigger.Table.
func (s single) Lookup(scheme, _, pathQuery []byte) (*deploy.Serving, bool) {
	return s.registry.Lookup(scheme, s.host, pathQuery)
}
