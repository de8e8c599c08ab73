package api

import (
	"context"
	"net/http"
)

// HeldRoute is a Route with whose it is.
type HeldRoute struct {
	ID           string `json:"id"`
	Pattern      string `json:"pattern"`
	Script       string `json:"script"`
	CustomDomain bool   `json:"custom_domain"`
	Enabled      bool   `json:"enabled"`
}

// NewRoute is a route as it is asked for.
type NewRoute struct {
	Pattern string `json:"pattern"`
	Enabled bool   `json:"enabled"`
}

// Routes lists all routes of the account.
func (c *Client) Routes(ctx context.Context) ([]HeldRoute, error) {
	return pages[HeldRoute](ctx, c, c.account("workers", "routes"))
}

// ScriptRoutes lists those of a Function.
func (c *Client) ScriptRoutes(ctx context.Context, script string) (list []HeldRoute, err error) {
	_, err = c.send(ctx, http.MethodGet, c.account("workers", "scripts", script, "routes"), nil, &list)
	return list, err
}

// SetRoutes replaces those of a Function but for its custom domains, and returns all
// that it has then.
func (c *Client) SetRoutes(ctx context.Context, script string, routes []NewRoute) (list []HeldRoute, err error) {
	_, err = c.send(ctx, http.MethodPut, c.account("workers", "scripts", script, "routes"), routes, &list)
	return list, err
}

// AddRoutes gives a Function more, and returns all that it has then.
func (c *Client) AddRoutes(ctx context.Context, script string, routes []NewRoute) (list []HeldRoute, err error) {
	_, err = c.send(ctx, http.MethodPost, c.account("workers", "scripts", script, "routes"), routes, &list)
	return list, err
}

// RemoveRoute takes one from a Function.
func (c *Client) RemoveRoute(ctx context.Context, script, id string) error {
	_, err := c.send(ctx, http.MethodDelete, c.account("workers", "scripts", script, "routes", id), nil, nil)
	return err
}

// Domain is a custom domain.
type Domain struct {
	ID       string `json:"id"`
	Hostname string `json:"hostname"`
	Service  string `json:"service"` // the Function
	Enabled  bool   `json:"enabled"`
}

// Domains lists the custom domains of the account.
func (c *Client) Domains(ctx context.Context) (list []Domain, err error) {
	_, err = c.send(ctx, http.MethodGet, c.account("workers", "domains"), nil, &list)
	return list, err
}

// PutDomain gives a Function a custom domain.
func (c *Client) PutDomain(ctx context.Context, hostname, script string, enabled bool) (d Domain, err error) {
	in := struct {
		Hostname string `json:"hostname"`
		Service  string `json:"service"`
		Enabled  bool   `json:"enabled"`
	}{hostname, script, enabled}
	_, err = c.send(ctx, http.MethodPut, c.account("workers", "domains"), in, &d)
	return d, err
}

// RemoveDomain takes a custom domain from whatever Function has it.
func (c *Client) RemoveDomain(ctx context.Context, id string) error {
	_, err := c.send(ctx, http.MethodDelete, c.account("workers", "domains", id), nil, nil)
	return err
}
