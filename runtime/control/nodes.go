package control

import (
	"context"

	"github.com/mayfly-run/mayfly/runtime/cluster"
)

// Nodes are those that share a store.
type Nodes interface {
	List(ctx context.Context) ([]cluster.Node, error)
	Drain(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	Remove(ctx context.Context, id string) (cluster.Removal, error)
}

func listNodes(r *request) error {
	nodes, err := r.nodes()
	if err != nil {
		return err
	}
	return r.ok(nodes)
}

func (r *request) nodes() ([]cluster.Node, error) {
	if r.api.cfg.Nodes == nil {
		return []cluster.Node{}, nil
	}
	return r.api.cfg.Nodes.List(r.Context())
}

func drainNode(r *request) error  { return r.setDrain(Nodes.Drain, cluster.Draining) }
func resumeNode(r *request) error { return r.setDrain(Nodes.Resume, cluster.Ready) }

func (r *request) setDrain(do func(Nodes, context.Context, string) error, state string) error {
	id := r.params["node"]
	r.note("node", id)
	if r.api.cfg.Nodes == nil {
		return noRoute(r.URL.Path)
	}
	if err := do(r.api.cfg.Nodes, r.Context(), id); err != nil {
		return err
	}
	return r.ok(map[string]string{"id": id, "state": state})
}

func removeNode(r *request) error {
	id := r.params["node"]
	r.note("node", id)
	if r.api.cfg.Nodes == nil {
		return noRoute(r.URL.Path)
	}
	done, err := r.api.cfg.Nodes.Remove(r.Context(), id)
	if err != nil {
		return err
	}
	return r.ok(done)
}
