package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// keptRuns is how many runs of a Function are kept, as on Cloudflare.
const keptRuns = 100

// What a Run's Outcome may be beside those of host.Outcome.
const (
	RunRunning     = "running"
	RunMissed      = "missed"      // no node was there, or one that ended before it began it
	RunInterrupted = "interrupted" // the node ended before the run did
	RunRefused     = "refused"     // it could not begin
)

// Run is what became of a scheduled event.
type Run struct {
	Cron     string     `json:"cron"`
	Due      time.Time  `json:"due"`
	Started  *time.Time `json:"started"` // null if it did not begin
	Outcome  string     `json:"outcome"`
	CPUMS    float64    `json:"cpu_ms"`
	WallMS   float64    `json:"wall_ms"`
	Error    string     `json:"error,omitempty"`
	Missed   int        `json:"missed,omitempty"` // how many in a row, of which Due is the last
	Manual   bool       `json:"manual,omitempty"` // somebody asked for it
	Request  string     `json:"request_id,omitempty"`
	Version  string     `json:"version_id,omitempty"`
	Node     string     `json:"node"`
	Identity string     `json:"id"`
}

const runRecords = "node/runs/" // <account>/<function>: []Run, newest first

// runs keeps the last runs of Functions. It is safe for concurrent use.
type runs struct {
	store kv.Store
	lease *Lease
	node  string     // this one
	mu    sync.Mutex // held while a record is changed, so that nodes alone conflict
}

func runRecord(account, function string) string { return runRecords + account + "/" + function }

func (rs *runs) read(ctx context.Context, record string) ([]Run, uint64, error) {
	e, err := rs.store.Get(ctx, record)
	if errors.Is(err, kv.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read runs: %w", err)
	}
	var list []Run
	if err := json.Unmarshal(e.Value, &list); err != nil {
		return nil, 0, fmt.Errorf("read runs: %w", err)
	}
	return list, e.Revision, nil
}

// of returns the runs of a Function, newest first, without those of one that had
// its name before.
func (rs *runs) of(ctx context.Context, f deploy.Function) ([]Run, error) {
	all, _, err := rs.read(ctx, runRecord(f.Account, f.Name))
	list := []Run{}
	for _, run := range all {
		if !run.Due.Before(f.Created) || run.Manual {
			list = append(list, run)
		}
	}
	return rs.markDead(ctx, list), err
}

// markDead marks the runs of other nodes that are not there any more.
func (rs *runs) markDead(ctx context.Context, list []Run) []Run {
	for i, run := range list {
		if run.Outcome != RunRunning || run.Node == rs.node {
			continue
		}
		if live, err := rs.lease.NodeLive(ctx, run.Node); err == nil && !live {
			list[i].Outcome, list[i].Error = RunInterrupted, nodeEnded
		}
	}
	return list
}

const nodeEnded = "the node ended before the run did"

// attempts bounds how often a change is tried again that another node was faster with.
const attempts = 20

// change changes a record.
func (rs *runs) change(ctx context.Context, record string, do func([]Run) []Run) error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for range attempts {
		list, revision, err := rs.read(ctx, record)
		if err != nil {
			return err
		}
		list = do(list)
		data, err := json.Marshal(list[:min(len(list), keptRuns)])
		if err != nil {
			return fmt.Errorf("write runs: %w", err)
		}
		_, err = rs.store.Put(ctx, record, data, kv.PutOptions{If: kv.IfRevision(revision)})
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("write runs: %w", kv.ErrConflict)
}

// put adds a run, or replaces what was said of it before.
func (rs *runs) put(ctx context.Context, account, function string, run Run) error {
	return rs.change(ctx, runRecord(account, function), func(list []Run) []Run {
		if i := indexOf(list, run); i >= 0 {
			list[i] = run
			return list
		}
		return append([]Run{run}, list...)
	})
}

// indexOf is where a run is in a list, or negative.
func indexOf(list []Run, run Run) int {
	return slices.IndexFunc(list, func(r Run) bool { return r.Identity == run.Identity })
}

// interrupt marks what a node had begun before a time, and left when it ended without
// notice.
func (rs *runs) interrupt(ctx context.Context, node string, before time.Time) error {
	opts := kv.ListOptions{Prefix: runRecords}
	for {
		page, err := rs.store.List(ctx, opts)
		if err != nil {
			return fmt.Errorf("list runs: %w", err)
		}
		for _, e := range page.Entries {
			if err := rs.interruptIn(ctx, e.Key, node, before); err != nil {
				return err
			}
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return nil
		}
	}
}

func (rs *runs) interruptIn(ctx context.Context, record, node string, before time.Time) error {
	left := func(run Run) bool {
		return run.Outcome == RunRunning && run.Node == node && (run.Started == nil || run.Started.Before(before))
	}
	list, _, err := rs.read(ctx, record)
	if err != nil || !slices.ContainsFunc(list, left) {
		return err
	}
	return rs.change(ctx, record, func(list []Run) []Run {
		for i := range list {
			if left(list[i]) {
				list[i].Outcome, list[i].Error = RunInterrupted, nodeEnded
			}
		}
		return list
	})
}

func (rs *runs) forget(ctx context.Context, account, function string) error {
	if err := rs.store.Delete(ctx, runRecord(account, function), kv.DeleteOptions{}); err != nil {
		return fmt.Errorf("remove runs: %w", err)
	}
	return nil
}
