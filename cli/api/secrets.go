package api

import (
	"context"
	"net/http"
)

// Secret is a secret of a Function. No answer has its text.
type Secret struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// SecretType is the type of all secrets.
const SecretType = "secret_text"

type secretInput struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Type string `json:"type"`
}

func (c *Client) secrets(script string, elements ...string) string {
	return c.account(append([]string{"workers", "scripts", script}, elements...)...)
}

// Secrets lists the secrets of a Function.
func (c *Client) Secrets(ctx context.Context, script string) (all []Secret, err error) {
	_, err = c.send(ctx, http.MethodGet, c.secrets(script, "secrets"), nil, &all)
	return all, err
}

// PutSecret gives a Function a secret, or the secret another text.
func (c *Client) PutSecret(ctx context.Context, script, name, text string) error {
	_, err := c.send(ctx, http.MethodPut, c.secrets(script, "secrets"), secretInput{name, text, SecretType}, nil)
	return err
}

// DeleteSecret takes a secret from a Function.
func (c *Client) DeleteSecret(ctx context.Context, script, name string) error {
	_, err := c.send(ctx, http.MethodDelete, c.secrets(script, "secrets", name), nil, nil)
	return err
}

// PatchSecrets puts secrets, and deletes those whose text is nil: all or none. idle
// makes a Version that does not serve yet.
func (c *Client) PatchSecrets(ctx context.Context, script string, texts map[string]*string, idle bool) error {
	secrets := map[string]*secretInput{}
	for name, text := range texts {
		secrets[name] = nil
		if text != nil {
			secrets[name] = &secretInput{name, *text, SecretType}
		}
	}
	path := c.secrets(script, "secrets-bulk")
	if idle {
		path += "?deploy=false"
	}
	_, err := c.send(ctx, http.MethodPatch, path, map[string]any{"secrets": secrets}, nil)
	return err
}
