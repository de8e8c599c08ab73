package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

// Version is a Version of a Function.
type Version struct {
	ID       string `json:"id"`
	Number   int    `json:"number"`
	Metadata struct {
		CreatedOn   time.Time `json:"created_on"`
		AuthorEmail string    `json:"author_email"`
	} `json:"metadata"`
	Annotations map[string]string `json:"annotations"`
	Mayfly      struct {
		PreviewURL string `json:"preview_url,omitempty"`
		Size       int64  `json:"size"`
	} `json:"mayfly"`
	Resources *Resources `json:"resources,omitempty"` // nil in listings
}

// Resources are what a Version consists of.
type Resources struct {
	Bindings []Binding `json:"bindings"`
	Script   struct {
		ETag string `json:"etag"`
	} `json:"script"`
	ScriptRuntime struct {
		CompatibilityDate string           `json:"compatibility_date"`
		Limits            map[string]int64 `json:"limits"`
	} `json:"script_runtime"`
}

// Annotations of Versions and Deployments.
const (
	MessageAnnotation = "workers/message"
	TagAnnotation     = "workers/tag"
	AliasAnnotation   = "workers/alias"
	TriggerAnnotation = "workers/triggered_by"
)

// Share is the part of a Function's requests that a Version answers.
type Share struct {
	VersionID  string `json:"version_id"`
	Percentage int    `json:"percentage"`
}

// Deployment says which Versions serve.
type Deployment struct {
	ID          string            `json:"id,omitempty"`
	Strategy    string            `json:"strategy"`
	CreatedOn   time.Time         `json:"created_on,omitzero"`
	AuthorEmail string            `json:"author_email,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Versions    []Share           `json:"versions"`
	Mayfly      struct {
		Rollout *Rollout `json:"rollout,omitempty"`
	} `json:"mayfly"`
}

// Rollout is how a Deployment of two Versions goes on by itself.
type Rollout struct {
	Version             string  `json:"version"`
	PromoteAfterSeconds float64 `json:"promote_after_seconds"`
	RollbackOn          string  `json:"rollback_on,omitempty"` // such as "errors>1%,p99>2x"
	MinRequests         int64   `json:"min_requests,omitempty"`
}

// Change is a difference between two Versions.
type Change struct {
	What   string `json:"what"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	Wants  bool   `json:"wants,omitempty"` // the later one may reach more
}

func (c *Client) script(name string, elements ...string) string {
	return c.account(append([]string{"workers", "scripts", name}, elements...)...)
}

// Versions lists those of a Function that are kept, newest first.
func (c *Client) Versions(ctx context.Context, name string) (all []Version, err error) {
	for page := 1; ; page++ {
		var some struct{ Items []Version }
		path := fmt.Sprintf("%s?page=%d&per_page=%d", c.script(name, "versions"), page, perPage)
		if _, err := c.send(ctx, http.MethodGet, path, nil, &some); err != nil {
			return nil, err
		}
		all = append(all, some.Items...)
		if len(some.Items) < perPage {
			return all, nil
		}
	}
}

// Version returns one Version of a Function, with its Resources.
func (c *Client) Version(ctx context.Context, name, id string) (v Version, err error) {
	_, err = c.send(ctx, http.MethodGet, c.script(name, "versions", id), nil, &v)
	return v, err
}

// UploadVersion stores a module as a new Version, which does not serve. sent is told
// how many bytes have gone out; it may be nil.
func (c *Client) UploadVersion(ctx context.Context, name string, module []byte, m Metadata, sent func(n int)) (v Version, err error) {
	body, contentType, err := uploadBody(module, m)
	if err != nil {
		return v, fmt.Errorf("encode upload: %w", err)
	}
	ctx, watched := watch(ctx, bytes.NewReader(body), sent)
	defer watched.stop()
	_, err = c.envelope(ctx, http.MethodPost, c.script(name, "versions"), contentType, watched, &v)
	return v, err
}

// PruneVersions removes all Versions but the newest ones, and those that serve. It
// returns the ids of what it removed.
func (c *Client) PruneVersions(ctx context.Context, name string, keep int) ([]string, error) {
	var out struct{ Removed []string }
	_, err := c.send(ctx, http.MethodPost, c.script(name, "versions", "prune"), map[string]int{"keep": keep}, &out)
	return out.Removed, err
}

// Diff tells how Version b differs from a.
func (c *Client) Diff(ctx context.Context, name, a, b string) ([]Change, error) {
	var out struct{ Changes []Change }
	_, err := c.send(ctx, http.MethodGet, c.script(name, "versions", a, "diff", b), nil, &out)
	return out.Changes, err
}

// Deployments lists those of a Function that are kept, newest first: the first one
// serves.
func (c *Client) Deployments(ctx context.Context, name string) ([]Deployment, error) {
	var out struct{ Deployments []Deployment }
	_, err := c.send(ctx, http.MethodGet, c.script(name, "deployments"), nil, &out)
	return out.Deployments, err
}

// CodeOtherSecrets is Cloudflare's for going back to a Version that has other
// secrets.
const CodeOtherSecrets = 10220

// Deploy lets Versions serve that are stored. force does so although that brings
// older secrets back.
func (c *Client) Deploy(ctx context.Context, name string, d Deployment, force bool) (made Deployment, err error) {
	path := c.script(name, "deployments")
	if force {
		path += "?force=true"
	}
	d.Strategy = "percentage"
	_, err = c.send(ctx, http.MethodPost, path, d, &made)
	return made, err
}
