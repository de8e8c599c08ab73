package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// Script is a deployed Function.
type Script struct {
	ID         string    `json:"id"` // its name
	ETag       string    `json:"etag,omitempty"`
	CreatedOn  time.Time `json:"created_on,omitzero"`
	ModifiedOn time.Time `json:"modified_on,omitzero"`
	URL        string    `json:"url,omitempty"`
	Routes     []Route   `json:"routes,omitempty"`
	VersionID  string    `json:"version_id,omitempty"`
	Mayfly     struct {
		// Wants is what the Version newly asks for; in answers to uploads only.
		Wants []string `json:"wants,omitempty"`
	} `json:"mayfly,omitzero"`
}

// Route is a pattern whose requests a Function gets.
type Route struct {
	Pattern string `json:"pattern"`
}

// Metadata describes the upload of a Function.
type Metadata struct {
	MainModule        string    `json:"main_module,omitempty"` // empty: there are static files only
	Assets            *Assets   `json:"assets,omitempty"`
	CompatibilityDate string    `json:"compatibility_date,omitempty"`
	Bindings          []Binding `json:"bindings"`
	Mayfly            any       `json:"mayfly,omitempty"` // what Cloudflare has no field for
	// SourceMap is that of a main module in JavaScript; nil without. It is sent beside
	// the metadata.
	SourceMap []byte `json:"-"`
	// Annotations are what is said about the Version.
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Binding is a capability by name: a plain_text, a json, a kv_namespace, a
// secret_text, a service, a queue, a ratelimit, a version_metadata or the assets.
type Binding struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Text        *string         `json:"text,omitempty"`
	JSON        json.RawMessage `json:"json,omitempty"`
	NamespaceID string          `json:"namespace_id,omitempty"`
	Service     string          `json:"service,omitempty"`
	Simple      any             `json:"simple,omitempty"` // of a ratelimit

	QueueName     string `json:"queue_name,omitempty"`     // of a queue
	DeliveryDelay *int64 `json:"delivery_delay,omitempty"` // of a queue, in seconds
}

// Upload deploys a module under a name. It is WebAssembly, or JavaScript if the name
// of Metadata.MainModule ends in .js. sent is told how many bytes have gone
// out; it may be nil.
func (c *Client) Upload(ctx context.Context, name string, module []byte, m Metadata, sent func(n int)) (Script, error) {
	body, contentType, err := uploadBody(module, m)
	if err != nil {
		return Script{}, fmt.Errorf("encode upload: %w", err)
	}
	ctx, watched := watch(ctx, bytes.NewReader(body), sent)
	defer watched.stop()
	var s Script
	_, err = c.envelope(ctx, http.MethodPut, c.account("workers", "scripts", name), contentType, watched, &s)
	return s, err
}

func uploadBody(module []byte, m Metadata) (body []byte, contentType string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	metadata, err := json.Marshal(m)
	if err != nil {
		return nil, "", err
	}
	if err := addPart(w, "metadata", "", "application/json", metadata); err != nil {
		return nil, "", err
	}
	if m.MainModule != "" {
		if err := addPart(w, m.MainModule, m.MainModule, moduleType(m.MainModule), module); err != nil {
			return nil, "", err
		}
	}
	if m.SourceMap != nil {
		if err := addPart(w, m.MainModule+".map", m.MainModule+".map", "application/source-map", m.SourceMap); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

// moduleType is the type of a main module.
func moduleType(name string) string {
	if strings.HasSuffix(name, ".js") {
		return "application/javascript+module"
	}
	return "application/wasm"
}

func addPart(w *multipart.Writer, name, file, contentType string, data []byte) error {
	disposition := fmt.Sprintf("form-data; name=%q", name)
	if file != "" {
		disposition += fmt.Sprintf("; filename=%q", file)
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {disposition},
		"Content-Type":        {contentType},
	})
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	return err
}

// Scripts lists the account's Functions.
func (c *Client) Scripts(ctx context.Context) (all []Script, err error) {
	_, err = c.send(ctx, http.MethodGet, c.account("workers", "scripts"), nil, &all)
	return all, err
}

// DeleteScript removes a Function; its KV stays. One that others bind is removed
// only with force.
func (c *Client) DeleteScript(ctx context.Context, name string, force bool) error {
	path := c.account("workers", "scripts", name)
	if force {
		path += "?force=true"
	}
	_, err := c.send(ctx, http.MethodDelete, path, nil, nil)
	return err
}

// uploadWait is how long the node may take for an upload that has arrived: it
// compiles the module before it answers.
const uploadWait = 5 * time.Minute

// watched is a body that ends its request when nobody has read from it for a
// while, so that the time allowed depends on progress, not on size.
type watched struct {
	io.Reader
	idle   *time.Timer
	cancel context.CancelCauseFunc
	sent   func(n int)
	total  int
}

func watch(ctx context.Context, body io.Reader, sent func(n int)) (context.Context, *watched) {
	ctx, cancel := context.WithCancelCause(ctx)
	idle := time.AfterFunc(timeout, func() { cancel(context.DeadlineExceeded) })
	return ctx, &watched{body, idle, cancel, sent, 0}
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.total += n
	w.idle.Reset(timeout)
	if err != nil {
		w.idle.Reset(uploadWait)
	}
	if w.sent != nil {
		w.sent(w.total)
	}
	return n, err
}

func (w *watched) stop() {
	w.idle.Stop()
	w.cancel(nil)
}
