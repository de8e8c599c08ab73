package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// repair mends logs, then removes what is made again, and nothing else: files first,
// then records of snapshots.
func (r *Report) repair(ctx context.Context, cfg Config) error {
	if err := r.repairLogs(cfg); err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	records := false
	for i := range r.Problems {
		p := &r.Problems[i]
		records = records || p.record != ""
		if p.remove == "" {
			continue
		}
		if err := os.RemoveAll(p.remove); err != nil {
			return fmt.Errorf("repair: %w", err)
		}
		p.Repaired = p.record == ""
		p.Done = removed
	}
	if !records || r.refused() {
		return nil
	}
	return r.repairRecords(ctx, cfg.Dir)
}

const removed = "it was removed"

// repairLogs has logs of recent writes mended, if one has to be.
func (r *Report) repairLogs(cfg Config) error {
	if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.log != "" }) {
		return nil
	}
	mended, err := badgerkv.MendLogs(cfg.Dir.KV(), cfg.AcceptLoss)
	for _, m := range mended {
		for i := range r.Problems {
			if p := &r.Problems[i]; p.log == m.File {
				p.mended(m)
			}
		}
	}
	return err
}

func (p *Problem) mended(m badgerkv.Mended) {
	p.Repaired = true
	p.Done = "the bit was put back"
	if m.Kept != "" {
		p.Done = "the log was cut off there; as it was, it is in " + filepath.Join("kv", m.Kept)
	}
}

// refused reports whether a log is left that keeps the database from being opened.
func (r *Report) refused() bool {
	return slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.log != "" && !p.Repaired })
}

func (r *Report) repairRecords(ctx context.Context, dir datadir.Dir) error {
	data, err := node.OpenData(node.DataConfig{Dir: dir})
	if err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		if p.record == "" {
			continue
		}
		if err := data.Store.Delete(ctx, p.record, kv.DeleteOptions{}); err != nil {
			return errors.Join(fmt.Errorf("repair: %w", err), data.Close())
		}
		p.Repaired = true
		p.Done = removed
	}
	return data.Close()
}
