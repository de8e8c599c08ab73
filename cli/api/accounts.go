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

// SetAccountHosts says which hosts the routes of an account may claim, all of them. It
// takes the admin token.
func (c *Client) SetAccountHosts(ctx context.Context, name string, hosts []string) (a Account, err error) {
	in := struct {
		Hosts []string `json:"hosts"`
	}{append([]string{}, hosts...)}
	_, err = c.send(ctx, http.MethodPut, path("accounts", name), in, &a)
	return a, err
}

// DeleteAccount deletes an account, which has nothing any more. It takes the admin token.
func (c *Client) DeleteAccount(ctx context.Context, name string) error {
	_, err := c.send(ctx, http.MethodDelete, path("accounts", name), nil, nil)
	return err
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
