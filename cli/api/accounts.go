package api

import (
	"context"
	"net/http"
	"time"
)

// Account is a tenant of the node.
type Account struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Hosts []string `json:"hosts,omitempty"` // that its routes may claim
}

// Token gives access to one account. Value is known only when it was just
// made.
type Token struct {
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"`
	Value     string    `json:"value,omitempty"`
	CreatedOn time.Time `json:"created_on,omitzero"`
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

// Tokens lists the account's tokens, without their values.
func (c *Client) Tokens(ctx context.Context) (all []Token, err error) {
	_, err = c.send(ctx, http.MethodGet, c.account("tokens"), nil, &all)
	return all, err
}

// CreateToken makes a token for the Client's account. It takes the admin token.
func (c *Client) CreateToken(ctx context.Context, name string) (t Token, err error) {
	_, err = c.send(ctx, http.MethodPost, c.account("tokens"), map[string]string{"name": name}, &t)
	return t, err
}

// RevokeToken ends a token.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	_, err := c.send(ctx, http.MethodDelete, c.account("tokens", id), nil, nil)
	return err
}
