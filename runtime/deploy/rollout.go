package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// Rollout is how a Deployment of two Versions goes on by itself: the newer one gets
// all requests after a while, or none as soon as it does worse than allowed. Counts
// are of all nodes since the Deployment began, or since each was started.
type Rollout struct {
	Version string `json:"version"` // id of the one that is tried
	// PromoteAfter is how long the Deployment lasts, in nanoseconds, if all goes well.
	PromoteAfter time.Duration `json:"promote_after"`
	// MaxErrors is how many percent of its requests may fail: end otherwise than ok,
	// or with a status of 500 or more. Negative: any.
	MaxErrors float64 `json:"max_errors"`
	// MaxSlower is how many times the p99 of the other Version its p99 may be. 0: any.
	MaxSlower float64 `json:"max_slower,omitempty"`
	// MinRequests is how many it must have answered before anything is decided.
	MinRequests int64 `json:"min_requests"`
}

// Bounds of Rollouts.
const (
	DefaultMinRequests = 20
	minPromoteAfter    = time.Second
	maxPromoteAfter    = 30 * 24 * time.Hour
	// minForP99 is how many requests a p99 must be of.
	minForP99 = 100
)

// ParseRollbackOn reads conditions such as "errors>1%,p99>2x" into a Rollout.
func (r *Rollout) ParseRollbackOn(text string) error {
	r.MaxErrors, r.MaxSlower = -1, 0
	for condition := range strings.SplitSeq(text, ",") {
		what, bound, ok := strings.Cut(strings.TrimSpace(condition), ">")
		if !ok {
			return rollbackError(condition)
		}
		number := strings.TrimSpace(bound)
		switch strings.TrimSpace(what) {
		case "errors":
			number, ok = strings.CutSuffix(number, "%")
		case "p99":
			number, ok = strings.CutSuffix(number, "x")
		default:
			ok = false
		}
		n, err := strconv.ParseFloat(number, 64)
		if !ok || err != nil {
			return rollbackError(condition)
		}
		if strings.TrimSpace(what) == "errors" {
			r.MaxErrors = n
			continue
		}
		r.MaxSlower = n
	}
	return nil
}

// RollbackOn are the conditions as ParseRollbackOn reads them; empty if there are
// none.
func (r *Rollout) RollbackOn() string {
	var conditions []string
	if r.MaxErrors >= 0 {
		conditions = append(conditions, fmt.Sprintf("errors>%g%%", r.MaxErrors))
	}
	if r.MaxSlower > 0 {
		conditions = append(conditions, fmt.Sprintf("p99>%gx", r.MaxSlower))
	}
	return strings.Join(conditions, ",")
}

func rollbackError(condition string) error {
	return invalid(`%q is no condition to roll back on; write errors>1%%, p99>2x, or both with a comma between`, strings.TrimSpace(condition))
}

// check compares a Rollout with its Deployment.
func (r *Rollout) check(d Deployment) error {
	switch {
	case len(d.Versions) != 2:
		return invalid("a rollout needs a deployment of two versions: the one that serves, and the one that is tried")
	case !slices.ContainsFunc(d.Versions, func(s Share) bool { return s.Version == r.Version && s.Percentage > 0 }):
		return invalid("the version that is tried has to get at least 1 percent of the requests")
	case r.PromoteAfter < minPromoteAfter || r.PromoteAfter > maxPromoteAfter:
		return invalid("a rollout lasts from %v to %v, not %v", minPromoteAfter, maxPromoteAfter, r.PromoteAfter)
	case !(r.MaxErrors < 100): // also refuses what is not a number
		return invalid("errors>%g%% can't happen; write less than 100%%", r.MaxErrors)
	case !(r.MaxSlower == 0 || r.MaxSlower >= 1):
		return invalid("p99>%gx would roll back what is faster; write at least 1x", r.MaxSlower)
	case r.MinRequests < 0:
		return invalid("%d requests are no minimum", r.MinRequests)
	}
	if r.MinRequests == 0 {
		r.MinRequests = DefaultMinRequests
	}
	return nil
}

// verdict is what is to become of a Rollout.
type verdict int

const (
	undecided verdict = iota
	promote
	rollBack
)

// judge decides by what was counted of the Version that is tried and of the other.
func (r *Rollout) judge(lasted time.Duration, tried, other telemetry.Counts) (v verdict, why string) {
	if tried.Requests < r.MinRequests {
		return undecided, ""
	}
	percent := 100 * float64(tried.Failed) / float64(tried.Requests)
	slower := 0.0
	if other.P99 > 0 && other.Requests >= minForP99 && tried.Requests >= minForP99 {
		slower = float64(tried.P99) / float64(other.P99)
	}
	seen := fmt.Sprintf("%d requests, %.2g%% errors, p99 %v", tried.Requests, percent, tried.P99)
	if slower > 0 {
		seen += fmt.Sprintf(" (%.1fx)", slower)
	}
	switch {
	case r.MaxErrors >= 0 && percent > r.MaxErrors:
		return rollBack, fmt.Sprintf("rolled back because of errors>%g%%: %s", r.MaxErrors, seen)
	case r.MaxSlower > 0 && slower > r.MaxSlower:
		return rollBack, fmt.Sprintf("rolled back because of p99>%gx: %s", r.MaxSlower, seen)
	case lasted >= r.PromoteAfter:
		return promote, fmt.Sprintf("promoted after %v: %s", r.PromoteAfter, seen)
	}
	return undecided, ""
}

// replaced is the Rollout with one Version in the place of another. It begins anew.
func (r *Rollout) replaced(old, now string) *Rollout {
	if r == nil {
		return nil
	}
	next := *r
	if next.Version == old {
		next.Version = now
	}
	return &next
}

// wake has watchRollouts look for new ones. It does not wait.
func (r *Registry) wake() {
	select {
	case r.rollouts <- struct{}{}:
	default:
	}
}

// rolloutInterval is how often Rollouts are judged.
const rolloutInterval = time.Second

// watchRollouts carries out Rollouts until ctx ends. While there is none it only
// waits.
func (r *Registry) watchRollouts(ctx context.Context) {
	tick := time.NewTicker(rolloutInterval)
	defer tick.Stop()
	was := map[functionID]told{}
	for {
		if r.judgeRollouts(ctx, was) > 0 {
			tick.Reset(rolloutInterval)
		} else {
			tick.Stop()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-r.rollouts:
		}
	}
}

// judgeRollouts judges each Rollout once, and returns how many there are. In a cluster
// one node judges, by what all have counted; was is what this one has told of it.
func (r *Registry) judgeRollouts(ctx context.Context, was map[functionID]told) (n int) {
	s := r.current.Load()
	for id, d := range s.functions {
		if d.Deployments[0].Rollout == nil {
			continue
		}
		n++
		all, now, err := r.measure(ctx, d, was[id])
		was[id] = now
		if err == nil && r.leads() && all != nil {
			err = r.judgeRollout(ctx, d, all)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, kv.ErrUnavailable) {
			r.cfg.Logger.Error("roll out", "account", d.Account, "function", d.Name, "err", err)
		}
	}
	maps.DeleteFunc(was, func(id functionID, _ told) bool { return s.functions[id] == nil })
	return n
}

func (r *Registry) judgeRollout(ctx context.Context, d *deployed, all measured) error {
	now := d.Deployments[0]
	other := otherVersion(now)
	v, why := now.Rollout.judge(r.now().Sub(now.Created), all[now.Rollout.Version].Counts(), all[other].Counts())
	if v == undecided {
		return nil
	}
	winner := now.Rollout.Version
	if v == rollBack {
		winner = other
	}
	next := Deployment{ID: newUUID(), Created: r.now(), Author: "rollout", Message: why, Versions: []Share{{winner, 100}}}
	r.cfg.Logger.Info("rollout", "account", d.Account, "function", d.Name, "version", winner, "why", why)
	_, err := r.redeploy(ctx, d.Account, d.Name, next, now.ID, nil)
	if errors.Is(err, errSuperseded) {
		return nil
	}
	return err
}

// otherVersion is the one that serves beside the one that is tried.
func otherVersion(d Deployment) string {
	for _, share := range d.Versions {
		if share.Version != d.Rollout.Version {
			return share.Version
		}
	}
	return ""
}

// errSuperseded: somebody else has made another Deployment.
var errSuperseded = &host.Error{Code: host.CodeConflict, Msg: "another deployment was made meanwhile"}

// watch has all Versions counted anew, or no more.
func (s *Serving) watch(on bool) {
	for _, v := range s.versions {
		v.active.watch(on)
	}
}

// watch begins to count anew, or ends.
func (a *Active) watch(on bool) {
	var o *telemetry.Outcomes
	if on {
		o = new(telemetry.Outcomes)
	}
	a.outcomes.Store(o)
}

// watched are the Version's Outcomes since it is watched.
func (a *Active) watched() *telemetry.Outcomes {
	if o := a.outcomes.Load(); o != nil {
		return o
	}
	a.outcomes.CompareAndSwap(nil, new(telemetry.Outcomes))
	return a.outcomes.Load()
}

// Observe counts how a request ended, if somebody wants to know. status is that of
// the answer.
func (a *Active) Observe(outcome host.Outcome, status int, wall time.Duration) {
	if o := a.outcomes.Load(); o != nil && outcome != host.OutcomeCanceled && outcome != host.OutcomeLoadShed {
		o.Add(outcome != host.OutcomeOK || status >= 500, wall)
	}
}
