package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// arrivalTime is how long an announcement is of interest.
const arrivalTime = 10 * time.Minute

// announce stores a module and says so, so that the other nodes compile it while this
// one does: nobody has to wait once it is deployed.
func (r *Registry) announce(ctx context.Context, module []byte) error {
	if r.cluster == nil {
		return nil
	}
	if err := kv.Sync(ctx, r.cfg.Store); err != nil { // a module takes longer to fail
		return fmt.Errorf("reach the cluster: %w", err)
	}
	digest, err := r.cfg.Blobs.Put(ctx, module)
	if err != nil {
		return err
	}
	_, err = r.cfg.Store.Put(ctx, arrivalRecords+digest.String(), []byte(r.cluster.Node), kv.PutOptions{Expires: r.cfg.Now().Add(arrivalTime)})
	return err
}

// arrive has a module compiled that another node has announced.
func (r *Registry) arrive(key string) {
	r.cluster.behind.add(load{do: func(ctx context.Context) bool {
		if err := r.compileArrived(ctx, key); err != nil && ctx.Err() == nil {
			r.cfg.Logger.Debug("compile what another node deploys", "digest", strings.TrimPrefix(key, arrivalRecords), "err", err) // who deploys it is told there
		}
		return true
	}})
}

// compileArrived leaves the code on disk, from where it is loaded when it is needed.
func (r *Registry) compileArrived(ctx context.Context, key string) error {
	digest, err := kv.ParseDigest(strings.TrimPrefix(key, arrivalRecords))
	if err != nil {
		return err
	}
	e, err := r.cfg.Store.Get(ctx, key)
	if errors.Is(err, kv.ErrNotFound) || string(e.Value) == r.cluster.Node {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := r.cfg.Blobs.Get(ctx, digest)
	if err != nil {
		return err
	}
	m, err := r.cfg.Runtime.Load(ctx, data)
	if err != nil {
		return err
	}
	return m.Close()
}
