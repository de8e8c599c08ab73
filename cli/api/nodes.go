package api

import (
	"context"
	"net/http"
	"time"
)

// Node is one of those that share a store.
type Node struct {
	ID      string    `json:"id"`
	HTTP    string    `json:"http"`
	Admin   string    `json:"admin"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"`
	State   string    `json:"state"` // ready, draining or behind
	Load    struct {
		Requests    float64 `json:"requests_per_second"`
		Concurrency int64   `json:"concurrency"`
		Memory      int64   `json:"memory_bytes"`
	} `json:"load"`
}

// Nodes lists the nodes of the cluster; a node without one lists itself. It takes
// the admin token, as do DrainNode and ResumeNode.
func (c *Client) Nodes(ctx context.Context) (nodes []Node, err error) {
	_, err = c.send(ctx, http.MethodGet, path("mayfly", "nodes"), nil, &nodes)
	return nodes, err
}

// DrainNode has a node take no new work until ResumeNode, over restarts too.
func (c *Client) DrainNode(ctx context.Context, id string) error {
	_, err := c.send(ctx, http.MethodPost, path("mayfly", "nodes", id, "drain"), nil, nil)
	return err
}

// ResumeNode ends DrainNode.
func (c *Client) ResumeNode(ctx context.Context, id string) error {
	_, err := c.send(ctx, http.MethodPost, path("mayfly", "nodes", id, "resume"), nil, nil)
	return err
}

// Removal is what RemoveNode has done.
type Removal struct {
	ID      string   `json:"id"`
	State   string   `json:"state"`            // removed
	NATS    string   `json:"nats"`             // what became of its NATS server: removed, none or elsewhere
	Server  string   `json:"server,omitempty"` // the address of that in peers
	Copying []string `json:"copying"`          // streams that the others do not have in full number yet
}

// removeTime is how long a removal may take: servers are asked what they have, and copy
// it.
const removeTime = 2 * time.Minute

// RemoveNode takes a node that has ended out of the cluster for good.
func (c *Client) RemoveNode(ctx context.Context, id string) (done Removal, err error) {
	ctx, cancel := context.WithTimeout(ctx, removeTime)
	defer cancel()
	_, err = c.envelope(ctx, http.MethodDelete, path("mayfly", "nodes", id), "", nil, &done)
	return done, err
}
