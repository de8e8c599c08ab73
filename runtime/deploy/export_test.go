package deploy

import (
	"context"
	"time"

	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// Requested is the id of a Version that an override header has for a Function.
func Requested(header, function string) string { return requested([]byte(header), function) }

// Judge is what becomes of a Rollout: "", "promote" or "roll back", and why.
func (r *Rollout) Judge(lasted time.Duration, tried, other telemetry.Counts) (verdict, why string) {
	v, why := r.judge(lasted, tried, other)
	return []string{"", "promote", "roll back"}[v], why
}

// RemoveStrays removes messages of queues that do not exist.
func (r *Registry) RemoveStrays(ctx context.Context) error { return r.removeStrays(ctx) }

// Loaded are the names of Functions whose Snapshots are in memory.
func (r *Registry) Loaded() (names []string) {
	for _, a := range r.loaded() {
		names = append(names, a.Function)
	}
	return names
}
