package api

import (
	"context"
	"net/http"
	"time"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// KVTrigger is a trigger of a Function by changes of keys, and how far it has come.
type KVTrigger struct {
	ID             string              `json:"id"`
	NamespaceID    string              `json:"namespace_id"`
	Prefix         string              `json:"prefix"`
	MaxRetries     int                 `json:"max_retries"`
	MaxConcurrency int                 `json:"max_concurrency"`
	OnFailure      *deploy.Destination `json:"on_failure,omitempty"`
	CreatedOn      time.Time           `json:"created_on"`
	Waiting        int                 `json:"waiting"`
	Oldest         *time.Time          `json:"oldest"`
	Retrying       int                 `json:"retrying"`
	Error          string              `json:"error,omitempty"`
	Node           string              `json:"node,omitempty"`
}

// MostWaiting is up to how many changes a node counts.
const MostWaiting = 10_000

type kvTriggers struct {
	KVTriggers []KVTrigger `json:"kv_triggers"`
}

// KVTriggers lists those of a Function.
func (c *Client) KVTriggers(ctx context.Context, script string) ([]KVTrigger, error) {
	var out kvTriggers
	_, err := c.send(ctx, http.MethodGet, c.account("workers", "scripts", script, "kv-triggers"), nil, &out)
	return out.KVTriggers, err
}

// SetKVTriggers replaces those of a Function.
func (c *Client) SetKVTriggers(ctx context.Context, script string, list []deploy.NewKVTrigger) ([]KVTrigger, error) {
	var out kvTriggers
	_, err := c.send(ctx, http.MethodPut, c.account("workers", "scripts", script, "kv-triggers"), list, &out)
	return out.KVTriggers, err
}
