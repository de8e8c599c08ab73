package control

import (
	"context"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// Schedules run Functions by the clock.
type Schedules interface {
	// Runs are the last runs of a Function, newest first.
	Runs(ctx context.Context, f deploy.Function) ([]trigger.Run, error)
	// Run runs a Function now, as a schedule with that expression would.
	Run(ctx context.Context, f deploy.Function, cron string) (trigger.Run, error)
	// Forget removes what is kept of a Function that was deleted.
	Forget(ctx context.Context, account, function string) error
}

type scheduleJSON struct {
	Cron       string    `json:"cron"`
	CreatedOn  time.Time `json:"created_on"`
	ModifiedOn time.Time `json:"modified_on"`
}

func schedulesOf(f deploy.Function) map[string]any {
	list := []scheduleJSON{}
	for _, s := range f.Schedules {
		list = append(list, scheduleJSON{s.Cron, s.Created, s.Created})
	}
	return map[string]any{"schedules": list}
}

func getSchedules(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	return r.ok(schedulesOf(f))
}

func putSchedules(r *request) error {
	var in []struct {
		Cron string `json:"cron"`
	}
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	crons := []string{}
	for _, s := range in {
		crons = append(crons, s.Cron)
	}
	f, err := r.api.registry.SetSchedules(r.Context(), r.account(), r.params["script"], crons)
	if err != nil {
		return err
	}
	r.note("crons", strings.Join(crons, "; "))
	return r.ok(schedulesOf(f))
}

func (r *request) schedules() (deploy.Function, Schedules, error) {
	f, _, err := r.function()
	if err == nil && r.api.cfg.Cron == nil {
		err = host.Errorf(host.CodeUnsupported, "this node runs nothing by schedules")
	}
	return f, r.api.cfg.Cron, err
}

func listRuns(r *request) error {
	f, schedules, err := r.schedules()
	if err != nil {
		return err
	}
	list, err := schedules.Runs(r.Context(), f)
	if err != nil {
		return err
	}
	return r.ok(map[string]any{"runs": list})
}

// runSchedule answers when the run has ended.
func runSchedule(r *request) error {
	var in struct {
		Cron string `json:"cron"`
	}
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	f, schedules, err := r.schedules()
	if err != nil {
		return err
	}
	run, err := schedules.Run(r.Context(), f, in.Cron)
	if err != nil {
		return err
	}
	r.note("cron", in.Cron)
	return r.ok(run)
}
