package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

const (
	// sweepEvery is how often some node looks for claims that others have left. Each is
	// there for several of those times.
	sweepEvery = 5 * time.Minute
	// settling is how long it may take after a claim until others see the lease of who
	// made it.
	settling = 2 * leaseLife
)

const sweepRecords = "node/cron-sweeps/" // <number of the time>: <node>

// neverBegan is why an event is missed that a node had claimed. It may be that the Function
// ran: where the store was away from the claim on, and the node ended before it was back.
const neverBegan = "the node took the event, and ended before it could record that the run began"

// cleanUp records what became of the runs that a process before this one began under
// the name of the node, and of the events that it claimed.
func (c *Cron) cleanUp(ctx context.Context) error {
	if c.clean {
		return nil
	}
	if err := c.runs.interrupt(ctx, c.cfg.Node, c.began); err != nil {
		return err
	}
	left := func(l cronClaim, _ time.Time) bool { return l.Node == c.cfg.Node && l.Start != c.start }
	if err := c.reportLeft(ctx, c.cfg.Registry.Scheduled(), left); err != nil {
		return err
	}
	c.clean = true
	return nil
}

// sweep does the same for all nodes that are gone, unless another node has just now.
func (c *Cron) sweep(ctx context.Context, functions []deploy.Function, now time.Time) error {
	record := sweepRecords + strconv.FormatInt(now.UnixNano()/int64(sweepEvery), 10)
	if _, err := c.cfg.Store.Get(ctx, record); !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	_, err := c.cfg.Store.Put(ctx, record, []byte(c.cfg.Node), kv.PutOptions{If: kv.IfRevision(0), Expires: now.Add(2 * sweepEvery)})
	if errors.Is(err, kv.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	live := map[string]bool{c.cfg.Node: true}
	return c.reportLeft(ctx, functions, func(l cronClaim, at time.Time) bool {
		if _, known := live[l.Node]; !known {
			is, err := c.cfg.Lease.NodeLive(ctx, l.Node)
			live[l.Node] = is || err != nil
		}
		return !live[l.Node] && now.Sub(at) > settling
	})
}

// reportLeft records as missed what was claimed by nodes that are gone, as left says, and
// was never begun.
func (c *Cron) reportLeft(ctx context.Context, functions []deploy.Function, left func(l cronClaim, at time.Time) bool) error {
	for _, f := range functions {
		claims, err := c.claimsLeft(ctx, f, left)
		if err == nil && len(claims) > 0 {
			claims, err = c.runs.addLeft(ctx, f, claims)
		}
		if err != nil {
			return fmt.Errorf("look for events that were claimed: %w", err)
		}
		for _, l := range claims {
			c.warnMissed(f, l.Run)
		}
	}
	return nil
}

// leftClaim is a claim that nobody goes on with.
type leftClaim struct {
	Run
	at time.Time
}

func (c *Cron) claimsLeft(ctx context.Context, f deploy.Function, left func(l cronClaim, at time.Time) bool) (list []leftClaim, err error) {
	opts := kv.ListOptions{Prefix: claimsOf(f)}
	for {
		page, err := c.cfg.Store.List(ctx, opts)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			var l cronClaim
			if json.Unmarshal(e.Metadata, &l) != nil || l.Due.Before(f.Created) { // of an older node, or another Function
				continue
			}
			if at := e.Expires.Add(-claimLife); left(l, at) {
				list = append(list, leftClaim{l.Run, at})
			}
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return list, nil
		}
	}
}

// addLeft adds those claims of which there is no run, and returns them.
func (rs *runs) addLeft(ctx context.Context, f deploy.Function, claims []leftClaim) (added []leftClaim, err error) {
	record := runRecord(f.Account, f.Name)
	list, _, err := rs.read(ctx, record)
	if err != nil || len(withoutRuns(list, claims)) == 0 {
		return nil, err
	}
	err = rs.change(ctx, record, func(list []Run) []Run {
		added = withoutRuns(list, claims)
		for _, l := range added {
			list = append([]Run{l.Run}, list...)
		}
		return list
	})
	return added, err
}

// withoutRuns are those claims of which there is no run, nor was: only so many are kept.
func withoutRuns(list []Run, claims []leftClaim) (lost []leftClaim) {
	for _, l := range claims {
		if indexOf(list, l.Run) < 0 && !(len(list) >= keptRuns && !startedBefore(list, l.at)) {
			lost = append(lost, l.missed())
		}
	}
	return lost
}

// startedBefore reports whether the list reaches back to before a time: it has what was
// added to it since. Runs that never started say nothing of when they were added.
func startedBefore(list []Run, at time.Time) bool {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Started != nil {
			return list[i].Started.Before(at)
		}
	}
	return false
}

// missed is what is recorded of it: a claim may also be of a report.
func (l leftClaim) missed() leftClaim {
	if l.Outcome == "" {
		l.Outcome, l.Missed, l.Error = RunMissed, 1, neverBegan
	}
	return l
}
