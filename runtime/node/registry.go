package node

import (
	"context"
	"fmt"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// openRegistry loads what is deployed, and makes what runs it without a connection.
func (n *Node) openRegistry(ctx context.Context, data *Data, engine *runtime.Runtime, services *host.Services, queues kv.Queues) error {
	keyring, err := n.openKeyring(ctx, data.Store)
	if err != nil {
		return err
	}
	n.runner = trigger.NewRunner(trigger.RunnerConfig{Services: services, Logger: n.cfg.Logger, Metrics: &n.metrics, Observer: n.observer})
	n.registry, err = deploy.NewRegistry(ctx, deploy.Config{
		Store: data.Store, Blobs: data.Blobs, Room: data.Guard.Check, Runtime: engine, Services: services, Domain: n.cfg.Domain,
		Limits: n.cfg.Limits, MaxLimits: n.cfg.MaxLimits, CodeMemory: n.cfg.CodeMemory, KeepVersions: n.cfg.KeepVersions,
		Assets: assets.NewServer(data.Blobs, n.cfg.AssetMemory), AssetLimits: n.cfg.AssetLimits,
		Memory: n.cfg.Memory, AccountMemory: n.cfg.AccountMemory, AccountConcurrency: n.cfg.AccountConcurrency,
		Schedules: n.cfg.AccountSchedules, Queues: queues, Cluster: n.others(),
		Secrets: keyring, Call: n.runner.Call, Logger: n.cfg.Logger})
	if err != nil {
		return fmt.Errorf("load what is deployed: %w", err)
	}
	n.deployed.Store(n.registry)
	n.closers = append(n.closers, n.registry.Close)
	return nil
}
