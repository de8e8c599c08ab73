// Package api is a client of the node's control API, typed as far as the
// commands need it. Start reading at New. The API has the shape of Cloudflare's
// v4 (https://developers.cloudflare.com/api/).
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	timeout  = 30 * time.Second // for a request and its answer
	maxReply = 128 << 20        // bytes
)

// Config says which node a Client talks to.
type Config struct {
	Base    string // such as http://127.0.0.1:8788/client/v4
	Account string
	Token   string
}

// Client talks to one node as one account. Its methods return *Error when the
// node refuses and *UnreachableError when it gives no answer. It is safe for
// concurrent use.
type Client struct {
	cfg  Config
	http *http.Client
}

// New checks cfg; it does not connect.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.Base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("API address %q is not a URL such as http://127.0.0.1:8788/client/v4", cfg.Base)
	}
	if strings.ContainsAny(cfg.Token, "\r\n\x00") {
		return nil, errors.New("the token holds a line end")
	}
	cfg.Base = strings.TrimSuffix(cfg.Base, "/")
	keep := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{cfg, &http.Client{CheckRedirect: keep}}, nil
}

// Config is what the Client was made with, without the token.
func (c *Client) Config() Config { return Config{Base: c.cfg.Base, Account: c.cfg.Account} }

// account is the path of something in the Client's account; its elements are
// escaped.
func (c *Client) account(elements ...string) string {
	return path(append([]string{"accounts", c.cfg.Account}, elements...)...)
}

func path(elements ...string) string {
	var b strings.Builder
	for _, e := range elements {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(e))
	}
	return b.String()
}

// send sends a request with a body of JSON, or none if in is nil, and decodes
// the envelope's result into out, unless that is nil.
func (c *Client) send(ctx context.Context, method, path string, in, out any) (pageInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if in == nil {
		return c.envelope(ctx, method, path, "", nil, out)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return pageInfo{}, fmt.Errorf("encode request: %w", err)
	}
	return c.envelope(ctx, method, path, "application/json", bytes.NewReader(body), out)
}

const perPage = 100

// pages gathers a listing that comes by numbered pages.
func pages[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	all := []T{}
	for page := 1; ; page++ {
		var some []T
		if _, err := c.send(ctx, http.MethodGet, fmt.Sprintf("%s?page=%d&per_page=%d", path, page, perPage), nil, &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < perPage {
			return all, nil
		}
	}
}

// envelope sends one request and opens the envelope of its answer.
func (c *Client) envelope(ctx context.Context, method, path, contentType string, body io.Reader, out any) (pageInfo, error) {
	status, reply, err := c.exchange(ctx, method, path, contentType, body)
	if err != nil {
		return pageInfo{}, err
	}
	return open(status, reply, out)
}

// exchange sends one request and reads the whole answer.
func (c *Client) exchange(ctx context.Context, method, path, contentType string, body io.Reader) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.cfg.Base+path, body)
	if err != nil {
		return 0, nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return 0, nil, c.unreachable(ctx, err)
	}
	return resp.StatusCode, reply, nil
}

// unreachable tells an interrupted request from one that was not answered.
func (c *Client) unreachable(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled):
		return context.Canceled
	case cause != nil:
		return &UnreachableError{c.cfg.Base, errors.New("it did not answer in time")}
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return &UnreachableError{c.cfg.Base, err}
}
