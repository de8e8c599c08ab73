package control

import (
	"net/http"
	"time"
)

// Health is what a node says of itself to those who watch it, without a token.
type Health struct {
	Status  string         `json:"status"` // ok, or draining
	Version string         `json:"version"`
	Node    string         `json:"node,omitempty"` // id
	Cluster *ClusterHealth `json:"cluster,omitempty"`
}

// ClusterHealth is how the node stands to the store that it shares. It serves in any
// case.
type ClusterHealth struct {
	Connected bool      `json:"connected"`   // its copy is kept current, and it takes writes
	Since     time.Time `json:"since"`       // when Connected became what it is
	CopyAge   int64     `json:"copy_age_ms"` // for how long others may have written what it does not know
	Revision  uint64    `json:"revision"`    // the last one in the copy
	Problem   string    `json:"problem,omitempty"`
	// Refuses is true once that is so long that the API of the node changes nothing.
	Refuses bool `json:"refuses_changes,omitempty"`
	// Behind is how many Functions it serves as they were, because it is still loading
	// what others have deployed, or can't; the log tells.
	Behind int `json:"behind,omitempty"`
}

const (
	healthy  = "ok"
	draining = "draining"
)

// health answers probes, which need no token: 503 if the node is to be taken out of
// service.
func (r *request) health() error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return wrongMethod(r, []string{http.MethodGet})
	}
	h := r.api.cfg.Health()
	status := http.StatusOK
	switch h.Status {
	case "":
		h.Status = healthy
	case draining:
		status = http.StatusServiceUnavailable
	}
	r.send(status, envelope{Success: status == http.StatusOK, Errors: []message{}, Messages: []message{}, Result: h})
	return nil
}

// ready answers whether new requests may come.
func (r *request) ready() error {
	if err := r.api.cfg.Ready(); err != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return &failure{http.StatusServiceUnavailable, 0, err.Error()}
	}
	return r.health()
}
