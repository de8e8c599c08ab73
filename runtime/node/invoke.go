package node

import (
	"context"
	"fmt"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// openInvocations goes on with what was accepted for later.
func (n *Node) openInvocations(ctx context.Context, store kv.Store) (err error) {
	n.later, err = trigger.NewInvocations(ctx, trigger.InvocationsConfig{Registry: n.registry, Deliver: n.deliver, Store: store, Lease: n.lease, Places: n.intake.places(), Logger: n.cfg.Logger})
	if err != nil {
		return fmt.Errorf("open invocations: %w", err)
	}
	n.cutOff(n.later.Shutdown)
	return nil
}

func (n *Node) deliver(ctx context.Context, f deploy.Function, p trigger.Payload) (trigger.Ran, int, error) {
	return n.runner.Deliver(ctx, n.pick(f), n.registry.Host(f.Account, f.Name), p)
}

func (n *Node) pick(f deploy.Function) func() (*deploy.Active, error) {
	return func() (*deploy.Active, error) { return n.registry.Pick(f.Account, f.Name) }
}

// invokes is what the control API invokes Functions by.
func (n *Node) invokes() *control.Invokes {
	return &control.Invokes{
		Now: func(ctx context.Context, f deploy.Function, p trigger.Payload) (*host.FetchResponse, error) {
			return n.runner.Invoke(ctx, n.pick(f), n.registry.Host(f.Account, f.Name), p)
		},
		Later:  n.later.Accept,
		Forget: n.later.Forget,
	}
}
