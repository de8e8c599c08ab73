package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Usage is what invocations used, in sum.
type Usage struct {
	Function string           `json:"function,omitempty"`
	Version  string           `json:"version,omitempty"`
	Trigger  string           `json:"trigger,omitempty"`
	From     time.Time        `json:"from,omitzero"`
	Requests int64            `json:"requests"`
	Outcomes map[string]int64 `json:"outcomes"`
	Units    int64            `json:"cpu_units"`
	CPU      float64          `json:"cpu_ms"`
	Wall     float64          `json:"wall_ms"`
	Memory   float64          `json:"memory_gib_s"`
	BytesIn  int64            `json:"bytes_in"`
	BytesOut int64            `json:"bytes_out"`
	Fetches  int64            `json:"fetches"`
	KV       int64            `json:"kv_operations"`
}

// UsageReport is what an account used between two times.
type UsageReport struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Stored time.Time `json:"stored"` // what ended before survives a crash
	Usage  []Usage   `json:"usage"`
	Total  Usage     `json:"total"`
}

// Usage asks what the account used; empty arguments are left to the node.
func (c *Client) Usage(ctx context.Context, from, to, group string) (r UsageReport, err error) {
	q := url.Values{}
	for name, value := range map[string]string{"from": from, "to": to, "group": group} {
		if value != "" {
			q.Set(name, value)
		}
	}
	_, err = c.send(ctx, http.MethodGet, c.account("usage")+"?"+q.Encode(), nil, &r)
	return r, err
}
