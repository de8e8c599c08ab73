package api

import (
	"context"
	"net/http"
)

// Account is a tenant of the node.
type Account struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Hosts []string `json:"hosts,omitempty"` // that its routes may claim
}

// Accounts lists the accounts that the token may see.
func (c *Client) Accounts(ctx context.Context) ([]Account, error) {
	return pages[Account](ctx, c, path("accounts"))
}

// CreateAccount makes an account whose routes may claim hosts. It takes the
// admin token.
func (c *Client) CreateAccount(ctx context.Context, name string, hosts []string) (a Account, err error) {
	in := struct {
		Name  string   `json:"name"`
		Hosts []string `json:"hosts,omitempty"`
	}{name, hosts}
	_, err = c.send(ctx, http.MethodPost, path("accounts"), in, &a)
	return a, err
}
