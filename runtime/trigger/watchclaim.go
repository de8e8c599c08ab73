package trigger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

const kvClaims = "node/kv-claims/" // <id of a trigger>: the id of the lease of the node that has it

// claim is a trigger that this node has for a while.
type claim struct {
	*Held
	key      string
	revision uint64
}

// claim makes a trigger this node's; nil if it is another one's.
func (k *KVTriggers) claim(ctx context.Context, trigger string) (_ *claim, err error) {
	key := kvClaims + trigger
	e, err := k.cfg.Store.Get(ctx, key)
	switch {
	case errors.Is(err, kv.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("claim trigger: %w", err)
	default:
		if other, err := k.cfg.Lease.Other(ctx, string(e.Value)); other || err != nil {
			return nil, err
		}
	}
	held, err := k.cfg.Lease.Hold(ctx)
	if err != nil {
		return nil, err
	}
	revision, err := k.cfg.Store.Put(ctx, key, []byte(held.ID), kv.PutOptions{If: kv.IfRevision(e.Revision), Frees: true})
	if err != nil {
		held.Release()
	}
	if errors.Is(err, kv.ErrConflict) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("claim trigger: %w", err)
	}
	return &claim{held, key, revision}, nil
}

// release lets other nodes have the trigger.
func (k *KVTriggers) release(ctx context.Context, c *claim) {
	defer c.Release()
	if c.Over.Err() != nil {
		return
	}
	err := k.cfg.Store.Delete(ctx, c.key, kv.DeleteOptions{If: kv.IfRevision(c.revision)})
	if err != nil && !errors.Is(err, kv.ErrConflict) && !errors.Is(err, kv.ErrClosed) {
		k.cfg.Logger.Warn("claim of a KV trigger stays until the lease ends", "err", err)
	}
}

// claimant is the node that has a trigger.
func (k *KVTriggers) claimant(ctx context.Context, trigger string) (string, error) {
	e, err := k.cfg.Store.Get(ctx, kvClaims+trigger)
	if errors.Is(err, kv.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read claim: %w", err)
	}
	live, err := k.cfg.Lease.Live(ctx, string(e.Value))
	if !live {
		return "", err
	}
	node, _, _ := strings.Cut(string(e.Value), "/")
	return node, nil
}

// forget removes what waits for a trigger that is no more.
func (k *KVTriggers) forget(ctx context.Context, trigger string) error {
	opts := kv.ListOptions{Prefix: deploy.ChangeRecords + trigger + "/"}
	for {
		page, err := k.cfg.Store.List(ctx, opts)
		if err != nil {
			return fmt.Errorf("list changes: %w", err)
		}
		for _, e := range page.Entries {
			if err := k.cfg.Store.Delete(ctx, e.Key, kv.DeleteOptions{}); err != nil {
				return fmt.Errorf("drop change: %w", err)
			}
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return nil
		}
	}
}
