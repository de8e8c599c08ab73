// Package doctor checks the data directory of a node that does not run: every file
// and record against its own checksum, and what they name against what is there.
// Start reading at Run.
//
// The database is read by a child process, Child, because the library panics in
// goroutines of its own on some damage: a child that dies is a finding.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"

	"github.com/mayfly-run/mayfly/kv/badgerkv"
	"github.com/mayfly-run/mayfly/runtime/datadir"
)

// Config of Run. Both are required.
type Config struct {
	Dir datadir.Dir
	// Child starts this program so that it calls Child with the arguments that are
	// appended.
	Child func(ctx context.Context) *exec.Cmd
	// Repair removes what is damaged and made again, compiled code and snapshots, and
	// puts single flipped bits of the logs of recent writes back.
	Repair bool
	// AcceptLoss is Repair that also cuts such logs off where more is damaged: the
	// writes from there on are lost.
	AcceptLoss bool
}

// Problem is one thing that is not as it should be.
type Problem struct {
	Where    string `json:"where"` // a file below the directory, or a record's key
	What     string `json:"what"`  // is wrong
	Means    string `json:"means"` // for the node and its users
	Fix      string `json:"fix"`
	Repaired bool   `json:"repaired"`
	Done     string `json:"done,omitempty"` // to repair it

	log    string // the log of recent writes that Repair mends
	remove string // the file that Repair removes
	record string // the record of a snapshot, which Repair removes
}

// Report is what was checked, and what was found.
type Report struct {
	Data     string `json:"data"`
	Entries  int    `json:"entries"` // of the database
	Blobs    int    `json:"blobs"`
	Compiled int    `json:"compiled"` // modules with machine code
	// Cluster says that the directory is of a node of a cluster, which has the entries
	// and blobs: those were not read.
	Cluster bool `json:"cluster,omitempty"`
	// NoKey says that there are secrets, and that their key is not in the directory: the
	// node has to get it from elsewhere.
	NoKey    bool      `json:"no_key,omitempty"`
	Problems []Problem `json:"problems"`
}

// Sound reports whether nothing is left to mend.
func (r *Report) Sound() bool {
	for _, p := range r.Problems {
		if !p.Repaired {
			return false
		}
	}
	return true
}

func (r *Report) add(p Problem) { r.Problems = append(r.Problems, p) }

const restoreFix = "restore a backup into a new directory: mayfly restore FILE --data NEW"

// Run checks a data directory. The error is about checking: what is wrong with the
// directory is in the Report. It refuses a directory in which a node runs.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	r := &Report{Data: string(cfg.Dir), Problems: []Problem{}}
	if _, err := os.Stat(cfg.Dir.Copy()); err == nil {
		return r, r.runCluster(ctx, cfg)
	}
	if _, err := os.Stat(cfg.Dir.KV()); err != nil {
		if errors.Is(err, fs.ErrNotExist) && errors.Is(cfg.Dir.Check(), datadir.ErrUnfinished) {
			r.checkFormat(cfg.Dir)
			return r, nil
		}
		return nil, fmt.Errorf("%s is not the data directory of a node: %w", cfg.Dir, err)
	}
	unlock, err := badgerkv.Lock(cfg.Dir.KV())
	if err != nil {
		return nil, err
	}
	err = r.check(ctx, cfg)
	unlock()
	if err == nil && (cfg.Repair || cfg.AcceptLoss) {
		err = r.repair(ctx, cfg)
	}
	return r, err
}

func (r *Report) check(ctx context.Context, cfg Config) error {
	r.checkFormat(cfg.Dir)
	r.checkFiles(cfg.Dir)
	r.checkAudit(cfg.Dir)
	r.checkSpace(cfg.Dir)
	blobs, err := r.checkBlobs(ctx, cfg.Dir)
	if err != nil {
		return err
	}
	if err := r.checkDatabase(ctx, cfg, blobs); err != nil {
		return err
	}
	return r.checkCode(ctx, cfg.Dir)
}
