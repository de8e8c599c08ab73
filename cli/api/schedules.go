package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Schedule is a cron trigger of a Function.
type Schedule struct {
	Cron      string    `json:"cron"`
	CreatedOn time.Time `json:"created_on,omitzero"`
}

// Run is what became of a scheduled event.
type Run struct {
	ID        string     `json:"id"`
	Cron      string     `json:"cron"`
	Due       time.Time  `json:"due"`
	Started   *time.Time `json:"started"` // nil if it did not begin
	Outcome   string     `json:"outcome"`
	CPUMS     float64    `json:"cpu_ms"`
	WallMS    float64    `json:"wall_ms"`
	Error     string     `json:"error,omitempty"`
	Missed    int        `json:"missed,omitempty"`
	Manual    bool       `json:"manual,omitempty"`
	RequestID string     `json:"request_id,omitempty"`
	VersionID string     `json:"version_id,omitempty"`
	Node      string     `json:"node,omitempty"`
}

type schedules struct {
	Schedules []Schedule `json:"schedules"`
}

// Schedules lists those of a Function.
func (c *Client) Schedules(ctx context.Context, script string) ([]Schedule, error) {
	var out schedules
	_, err := c.send(ctx, http.MethodGet, c.account("workers", "scripts", script, "schedules"), nil, &out)
	return out.Schedules, err
}

// SetSchedules replaces those of a Function.
func (c *Client) SetSchedules(ctx context.Context, script string, crons []string) ([]Schedule, error) {
	in := []Schedule{}
	for _, text := range crons {
		in = append(in, Schedule{Cron: text})
	}
	var out schedules
	_, err := c.send(ctx, http.MethodPut, c.account("workers", "scripts", script, "schedules"), in, &out)
	return out.Schedules, err
}

// Runs lists the last runs of a Function, newest first.
func (c *Client) Runs(ctx context.Context, script string) ([]Run, error) {
	var out struct {
		Runs []Run `json:"runs"`
	}
	_, err := c.send(ctx, http.MethodGet, c.account("workers", "scripts", script, "schedules", "runs"), nil, &out)
	return out.Runs, err
}

// RunSchedule runs a Function now as a schedule would, and waits for the end, for as
// long as ctx allows.
func (c *Client) RunSchedule(ctx context.Context, script, cron string) (run Run, err error) {
	body, err := json.Marshal(Schedule{Cron: cron})
	if err != nil {
		return run, err
	}
	_, err = c.envelope(ctx, http.MethodPost, c.account("workers", "scripts", script, "schedules", "runs"), "application/json", bytes.NewReader(body), &run)
	return run, err
}
