package api

import (
	"context"
	"net/http"
	"time"
)

// Token gives access to one account within its scopes, or, without an account,
// to the whole node. Value is known only when it was just made.
type Token struct {
	ID         string    `json:"id"`
	Name       string    `json:"name,omitempty"`
	Status     string    `json:"status,omitempty"` // active, expired or disabled
	Account    string    `json:"account,omitempty"`
	Scopes     []string  `json:"scopes,omitempty"`
	Value      string    `json:"value,omitempty"`
	CreatedOn  time.Time `json:"created_on,omitzero"`
	ExpiresOn  time.Time `json:"expires_on,omitzero"`
	LastUsedOn time.Time `json:"last_used_on,omitzero"`
}

// TokenRequest says what a new token is to be.
type TokenRequest struct {
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes,omitempty"` // none: read, deploy, kv and queues
	ExpiresOn time.Time `json:"expires_on,omitzero"`
}

// tokens is the path of the account's tokens, or of those for administrators.
func (c *Client) tokens(node bool, elements ...string) string {
	if node {
		return path(append([]string{"user", "tokens"}, elements...)...)
	}
	return c.account(append([]string{"tokens"}, elements...)...)
}

// Tokens lists the account's tokens, or the node's, without their values.
func (c *Client) Tokens(ctx context.Context, node bool) ([]Token, error) {
	return pages[Token](ctx, c, c.tokens(node))
}

// CreateToken makes a token for the Client's account, or for administrators of
// the node.
func (c *Client) CreateToken(ctx context.Context, node bool, q TokenRequest) (t Token, err error) {
	_, err = c.send(ctx, http.MethodPost, c.tokens(node), q, &t)
	return t, err
}

// RevokeToken ends a token.
func (c *Client) RevokeToken(ctx context.Context, node bool, id string) error {
	_, err := c.send(ctx, http.MethodDelete, c.tokens(node, id), nil, nil)
	return err
}

// VerifyToken tells about the Client's own token.
func (c *Client) VerifyToken(ctx context.Context) (t Token, err error) {
	_, err = c.send(ctx, http.MethodGet, path("user", "tokens", "verify"), nil, &t)
	return t, err
}
