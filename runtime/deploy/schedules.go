package deploy

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/cron"
)

// DefaultSchedules is how many schedules an account may have where Config says
// nothing else: as on Cloudflare's paid plan
// (https://developers.cloudflare.com/workers/platform/limits/#cron-triggers).
const DefaultSchedules = 250

// Schedule is a cron trigger of a Function.
type Schedule struct {
	Cron string `json:"cron"` // as it was written
	// Created is when the Function got it. What was due before is not missed.
	Created time.Time `json:"created"`
}

// SetSchedules replaces the schedules of a Function. Those that it has already go
// on as they are.
func (r *Registry) SetSchedules(ctx context.Context, account, name string, crons []string) (Function, error) {
	if err := checkCrons(crons); err != nil {
		return Function{}, err
	}
	return r.update(ctx, account, name, func(s *snapshot, f *Function) error {
		others := s.schedulesOf(account) - len(f.Schedules)
		if most := r.cfg.Schedules; others+len(crons) > most {
			return host.Errorf(host.CodeLimit, "account %s would have %d cron triggers, and may have %d; remove some, or have the node's administrator raise limits.account_schedules", account, others+len(crons), most)
		}
		list := []Schedule{}
		for _, text := range crons {
			list = append(list, f.schedule(text, r.now()))
		}
		f.Schedules = list
		return nil
	})
}

// checkCrons refuses expressions that are none, and the same one twice.
func checkCrons(crons []string) error {
	given := map[string]bool{}
	for _, text := range crons {
		if _, err := cron.Parse(text); err != nil {
			return invalid("%v", err)
		}
		key := cronKey(text)
		if given[key] {
			return invalid("cron expression %q is given twice", text)
		}
		given[key] = true
	}
	return nil
}

// cronKey is equal for expressions that differ in space and case alone.
func cronKey(text string) string { return strings.Join(strings.Fields(strings.ToUpper(text)), " ") }

// schedule is the one that f has with an expression, or a new one.
func (f *Function) schedule(text string, now time.Time) Schedule {
	i := slices.IndexFunc(f.Schedules, func(s Schedule) bool { return s.Cron == text })
	if i >= 0 {
		return f.Schedules[i]
	}
	return Schedule{Cron: text, Created: now}
}

func (s *snapshot) schedulesOf(account string) (n int) {
	for id, d := range s.functions {
		if id.account == account {
			n += len(d.Schedules)
		}
	}
	return n
}

// Scheduled are the Functions of all accounts that have schedules.
func (r *Registry) Scheduled() []Function {
	return r.functionsWith(func(f Function) bool { return len(f.Schedules) > 0 })
}

// Pick is the Version for an event of a Function that is no request: the share of
// each decides. A Function that does not exist is an *host.Error.
func (r *Registry) Pick(account, name string) (*Active, error) {
	d, err := r.current.Load().function(account, name)
	if err != nil {
		return nil, err
	}
	return d.live.Pick(nil, nil), nil
}
