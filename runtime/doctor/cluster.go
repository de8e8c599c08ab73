package doctor

import (
	"context"
	"os"
	"path/filepath"

	"github.com/mayfly-run/mayfly/kv/badgerkv"
)

// runCluster checks the directory of a node of a cluster. What it has in copy is the
// cluster's: the node checks it when it starts, and loads what is damaged anew.
func (r *Report) runCluster(ctx context.Context, cfg Config) error {
	r.Cluster = true
	copies, err := filepath.Glob(filepath.Join(cfg.Dir.Copy(), "copy", "*"))
	if err != nil {
		return err
	}
	for _, dir := range copies {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		unlock, err := badgerkv.Lock(dir)
		if err != nil {
			return err
		}
		defer unlock()
	}
	r.checkFormat(cfg.Dir)
	r.checkFiles(cfg.Dir)
	r.checkAudit(cfg.Dir)
	r.checkSpace(cfg.Dir)
	r.checkServer(cfg)
	if err := r.checkCode(ctx, cfg.Dir); err != nil {
		return err
	}
	if cfg.Repair || cfg.AcceptLoss {
		return r.repair(ctx, cfg)
	}
	return nil
}

// checkServer looks at what a NATS server in the node stores, which has everything
// that users have stored.
func (r *Report) checkServer(cfg Config) {
	info, err := os.Stat(cfg.Dir.NATS())
	if err != nil {
		return // there is none
	}
	if info.Mode().Perm()&0o077 != 0 {
		r.add(Problem{Where: "nats", What: "it has the mode " + info.Mode().String() + ": not only its owner has access",
			Means: "whoever reads it reads what all accounts have stored", Fix: "chmod 700 " + cfg.Dir.NATS()})
	}
}
