package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// repair removes what is made again, and nothing else: files first, then records of
// snapshots.
func (r *Report) repair(ctx context.Context, dir datadir.Dir) error {
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
	}
	if !records {
		return nil
	}
	return r.repairRecords(ctx, dir)
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
	}
	return data.Close()
}
