package control

import (
	"context"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// KVTriggers deliver changes of keys.
type KVTriggers interface {
	// State is how far a trigger has come.
	State(ctx context.Context, t deploy.KVTrigger) (trigger.KVTriggerState, error)
}

type kvTriggerJSON struct {
	ID             string           `json:"id"`
	NamespaceID    string           `json:"namespace_id"`
	Prefix         string           `json:"prefix"`
	MaxRetries     int              `json:"max_retries"`
	MaxConcurrency int              `json:"max_concurrency"`
	OnFailure      *destinationJSON `json:"on_failure,omitempty"`
	CreatedOn      time.Time        `json:"created_on"`
	*kvStateJSON
}

// kvStateJSON is how far a trigger has come.
type kvStateJSON struct {
	Waiting  int        `json:"waiting"`  // at most trigger.MaxCounted
	Oldest   *time.Time `json:"oldest"`   // null if nothing waits
	Retrying int        `json:"retrying"` // of those that wait
	Error    string     `json:"error,omitempty"`
	Node     string     `json:"node,omitempty"`
}

func kvStateOf(s trigger.KVTriggerState) *kvStateJSON {
	out := &kvStateJSON{Waiting: s.Waiting, Retrying: s.Retrying, Error: s.Error, Node: s.Node}
	if !s.Oldest.IsZero() {
		oldest := s.Oldest.UTC()
		out.Oldest = &oldest
	}
	return out
}

// sendKVTriggers answers with the triggers of a Function, and with how far they have come
// where something delivers.
func (r *request) sendKVTriggers(f deploy.Function) error {
	list := []kvTriggerJSON{}
	for _, t := range f.KVTriggers {
		out := kvTriggerJSON{ID: t.ID, NamespaceID: t.Namespace, Prefix: t.Prefix, MaxRetries: t.Retries(), MaxConcurrency: t.Concurrency(), CreatedOn: t.Created}
		if to := t.OnFailure; to != (deploy.Destination{}) {
			out.OnFailure = &destinationJSON{to.Function, to.Namespace}
		}
		if k := r.api.cfg.KVTriggers; k != nil {
			s, err := k.State(r.Context(), t)
			if err != nil {
				return err
			}
			out.kvStateJSON = kvStateOf(s)
		}
		list = append(list, out)
	}
	return r.ok(map[string]any{"kv_triggers": list})
}

func getKVTriggers(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	return r.sendKVTriggers(f)
}

func putKVTriggers(r *request) error {
	var in []deploy.NewKVTrigger
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	if r.api.cfg.KVTriggers == nil && len(in) > 0 {
		return host.Errorf(host.CodeUnsupported, "this node delivers no changes of keys")
	}
	f, err := r.api.registry.SetKVTriggers(r.Context(), r.account(), r.params["script"], in)
	if err != nil {
		return err
	}
	return r.sendKVTriggers(f)
}
