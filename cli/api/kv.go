package api

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
)

// Namespace is a KV namespace.
type Namespace struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Key is a key as listings have it.
type Key struct {
	Name       string          `json:"name"`
	Expiration int64           `json:"expiration,omitempty"` // in seconds since 1970
	Metadata   json.RawMessage `json:"metadata,omitempty"`
}

// Pair is one entry of a bulk write, as Cloudflare's bulk files have it.
type Pair struct {
	Key           string          `json:"key"`
	Value         string          `json:"value"`
	Base64        bool            `json:"base64,omitempty"` // Value is encoded
	Expiration    int64           `json:"expiration,omitempty"`
	ExpirationTTL int64           `json:"expiration_ttl,omitempty"`
	Metadata      json.RawMessage `json:"metadata,omitempty"`
}

// PutOptions qualify a write. Zero values are not sent.
type PutOptions struct {
	Expiration    int64 // seconds since 1970
	ExpirationTTL int64 // seconds
	Metadata      json.RawMessage
}

func (c *Client) kv(elements ...string) string {
	return c.account(append([]string{"storage", "kv", "namespaces"}, elements...)...)
}

// Namespaces lists the account's namespaces.
func (c *Client) Namespaces(ctx context.Context) ([]Namespace, error) {
	return pages[Namespace](ctx, c, c.kv())
}

// CreateNamespace makes an empty namespace.
func (c *Client) CreateNamespace(ctx context.Context, title string) (n Namespace, err error) {
	_, err = c.send(ctx, http.MethodPost, c.kv(), map[string]string{"title": title}, &n)
	return n, err
}

// RenameNamespace gives a namespace another title.
func (c *Client) RenameNamespace(ctx context.Context, id, title string) error {
	_, err := c.send(ctx, http.MethodPut, c.kv(id), map[string]string{"title": title}, nil)
	return err
}

// DeleteNamespace removes a namespace with all its keys.
func (c *Client) DeleteNamespace(ctx context.Context, id string) error {
	_, err := c.send(ctx, http.MethodDelete, c.kv(id), nil, nil)
	return err
}

// Keys lists the keys of a namespace in their order, page by page. After an
// error it ends.
func (c *Client) Keys(ctx context.Context, id, prefix string) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		for cursor := ""; ; {
			q := url.Values{"prefix": {prefix}, "cursor": {cursor}}
			var page []Key
			info, err := c.send(ctx, http.MethodGet, c.kv(id, "keys")+"?"+q.Encode(), nil, &page)
			if err != nil {
				yield(Key{}, err)
				return
			}
			for _, k := range page {
				if !yield(k, nil) {
					return
				}
			}
			if cursor = info.Cursor; cursor == "" {
				return
			}
		}
	}
}

// Value reads the value of a key.
func (c *Client) Value(ctx context.Context, id, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	status, reply, err := c.exchange(ctx, http.MethodGet, c.kv(id, "values", key), "", nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		_, err := open(status, reply, nil)
		return nil, err
	}
	return reply, nil
}

// PutValue writes the value of a key.
func (c *Client) PutValue(ctx context.Context, id, key string, value []byte, opts PutOptions) error {
	body, contentType, err := valueBody(value, opts.Metadata)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	path := c.kv(id, "values", key) + opts.query()
	_, err = c.envelope(ctx, http.MethodPut, path, contentType, bytes.NewReader(body), nil)
	return err
}

func (o PutOptions) query() string {
	q := url.Values{}
	if o.Expiration != 0 {
		q.Set("expiration", strconv.FormatInt(o.Expiration, 10))
	}
	if o.ExpirationTTL != 0 {
		q.Set("expiration_ttl", strconv.FormatInt(o.ExpirationTTL, 10))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// valueBody is the bare value, or a form if there is metadata.
func valueBody(value []byte, metadata json.RawMessage) ([]byte, string, error) {
	if metadata == nil {
		return value, "application/octet-stream", nil
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := addPart(w, "value", "", "application/octet-stream", value); err != nil {
		return nil, "", err
	}
	if err := addPart(w, "metadata", "", "application/json", metadata); err != nil {
		return nil, "", err
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

// DeleteValue removes a key.
func (c *Client) DeleteValue(ctx context.Context, id, key string) error {
	_, err := c.send(ctx, http.MethodDelete, c.kv(id, "values", key), nil, nil)
	return err
}

// PutBulk writes at most 10,000 pairs.
func (c *Client) PutBulk(ctx context.Context, id string, pairs []Pair) error {
	_, err := c.send(ctx, http.MethodPut, c.kv(id, "bulk"), pairs, nil)
	return err
}

// GetBulk reads at most 100 keys as text; absent ones are null.
func (c *Client) GetBulk(ctx context.Context, id string, keys []string) (map[string]*string, error) {
	var result struct {
		Values map[string]*string `json:"values"`
	}
	in := map[string]any{"keys": keys, "type": "text"}
	_, err := c.send(ctx, http.MethodPost, c.kv(id, "bulk", "get"), in, &result)
	return result.Values, err
}

// DeleteBulk removes at most 10,000 keys.
func (c *Client) DeleteBulk(ctx context.Context, id string, keys []string) error {
	_, err := c.send(ctx, http.MethodPost, c.kv(id, "bulk", "delete"), keys, nil)
	return err
}
