package control

import (
	"fmt"
	"slices"

	"github.com/mayfly-run/mayfly/runtime/cluster"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// Codes of messages beside a list of errors.
const (
	codeNoAnswer    = 10801
	codeShortAnswer = 10802
)

// listErrors has what failed on all nodes, and says which did not answer.
func listErrors(r *request) error {
	if _, _, err := r.function(); err != nil {
		return err
	}
	nodes, err := r.nodes()
	if err != nil {
		return err
	}
	all, err := r.api.cfg.Observer.AllFailures(r.Context(), r.account(), r.params["script"], awaited(nodes))
	if err != nil {
		return err
	}
	return r.okWith(all.Failures, missing(nodes, all))
}

// awaited are the nodes from which an answer can be expected: not those that say nothing
// of themselves either.
func awaited(nodes []cluster.Node) (ids []string) {
	for _, n := range nodes {
		if n.State != cluster.Behind {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// missing says of which nodes a list does not have everything.
func missing(nodes []cluster.Node, all telemetry.Gathered) []message {
	said := []message{}
	if len(nodes) < 2 {
		return said // a node alone has no name
	}
	for _, n := range nodes {
		switch {
		case !slices.Contains(all.Answered, n.ID):
			said = append(said, message{codeNoAnswer, fmt.Sprintf("node %s did not answer: what failed there is not listed", n.ID)})
		case slices.Contains(all.Short, n.ID):
			said = append(said, message{codeShortAnswer, fmt.Sprintf("node %s has more than could be sent: the oldest that failed there are not listed", n.ID)})
		}
	}
	return said
}
