package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// Invoked is what a Function answered to a payload.
type Invoked struct {
	Status int
	Type   string // Content-Type
	Body   []byte
}

// Invoke gives a Function a payload, and waits for its answer, for as long as ctx
// allows.
func (c *Client) Invoke(ctx context.Context, script, contentType string, payload []byte) (Invoked, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.Base+c.account("workers", "scripts", script, "invoke"), bytes.NewReader(payload))
	if err != nil {
		return Invoked{}, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Invoked{}, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return Invoked{}, c.unreachable(ctx, err)
	}
	if resp.Header.Get("Mayfly-Invocation-Id") == "" { // the node's answer, not the Function's
		_, err := open(resp.StatusCode, body, nil)
		return Invoked{}, err
	}
	return Invoked{resp.StatusCode, resp.Header.Get("Content-Type"), body}, nil
}

// InvokeLater has the node keep a payload for a Function, and returns its id.
func (c *Client) InvokeLater(ctx context.Context, script, contentType string, payload []byte) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var out struct {
		ID string `json:"id"`
	}
	_, err = c.envelope(ctx, http.MethodPost, c.account("workers", "scripts", script, "invoke")+"?async=true", contentType, bytes.NewReader(payload), &out)
	return out.ID, err
}

// InvokeConfig says what becomes of payloads for later that fail.
type InvokeConfig struct {
	Retries   *int64 `json:"retries,omitempty"` // nil: the default
	OnFailure any    `json:"on_failure,omitempty"`
}

// SetInvokeConfig replaces that of a Function.
func (c *Client) SetInvokeConfig(ctx context.Context, script string, config InvokeConfig) error {
	_, err := c.send(ctx, http.MethodPut, c.account("workers", "scripts", script, "invoke-config"), config, nil)
	return err
}
