package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mayfly-run/mayfly/kv"
)

// invocationRecords are the Payloads that were accepted, until their Functions have
// taken them: the body is the value, and the rest metadata, so that a listing has it.
const invocationRecords = "node/invocations/" // <account>/<function>/<id>

// maxType is how long a Content-Type may be, and maxWhy how much is kept of an error,
// in bytes: both are in the metadata of a record.
const (
	maxType = 1 << 10
	maxWhy  = 4 << 10
)

// pending is a Payload that was accepted, until its Function has taken it.
type pending struct {
	Account  string `json:"-"`
	Function string `json:"-"`
	ID       string `json:"-"`
	Body     []byte `json:"-"`

	Type     string    `json:"type,omitempty"`
	Size     int       `json:"size"` // of the body
	Accepted time.Time `json:"accepted"`
	Attempts int       `json:"attempts"` // that have begun
	Next     time.Time `json:"next"`     // when to try again
	Error    string    `json:"error,omitempty"`
	// Lease is that of the node which makes an attempt.
	Lease string `json:"lease,omitempty"`
	// Report says that it is about a failure. When it fails itself, that is the end.
	Report bool `json:"report,omitempty"`

	revision uint64
}

func (p *pending) key() string { return invocationRecords + p.Account + "/" + p.Function + "/" + p.ID }

// pendingOf reads a record; one from a listing has no body.
func pendingOf(e kv.Entry) (*pending, error) {
	p := &pending{Body: e.Value, revision: e.Revision}
	parts := strings.Split(strings.TrimPrefix(e.Key, invocationRecords), "/")
	if len(parts) != 3 {
		return nil, fmt.Errorf("invocation %s: the key is none", e.Key)
	}
	p.Account, p.Function, p.ID = parts[0], parts[1], parts[2]
	if err := json.Unmarshal(e.Metadata, p); err != nil {
		return nil, fmt.Errorf("invocation %s: %w", e.Key, err)
	}
	return p, nil
}

// write stores the record unless somebody else has changed it.
func (i *Invocations) write(ctx context.Context, p *pending) error {
	p.Size, p.Error = len(p.Body), clipText(p.Error, maxWhy)
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("keep invocation: %w", err)
	}
	p.revision, err = i.cfg.Store.Put(ctx, p.key(), p.Body, kv.PutOptions{Metadata: data, If: kv.IfRevision(p.revision), Frees: p.revision > 0})
	if err != nil {
		return fmt.Errorf("keep invocation: %w", err)
	}
	i.wrote(p)
	return nil
}

func (i *Invocations) drop(ctx context.Context, p *pending) error {
	if err := i.cfg.Store.Delete(ctx, p.key(), kv.DeleteOptions{If: kv.IfRevision(p.revision)}); err != nil {
		return fmt.Errorf("drop invocation: %w", err)
	}
	return nil
}

func clipText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// renew writes a record of an earlier version of the node, which had everything in
// its value, as it is now.
func (i *Invocations) renew(ctx context.Context, key string) (*pending, error) {
	e, err := i.cfg.Store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read invocation: %w", err)
	}
	old := struct {
		pending
		Body []byte `json:"body"`
	}{}
	if err := json.Unmarshal(e.Value, &old); err != nil {
		return nil, fmt.Errorf("read invocation %s: %w", key, err)
	}
	e.Metadata = []byte("{}")
	p, err := pendingOf(e)
	if err != nil {
		return nil, err
	}
	id := *p
	*p = old.pending
	p.Account, p.Function, p.ID, p.Body, p.revision = id.Account, id.Function, id.ID, old.Body, e.Revision
	return p, i.write(ctx, p)
}

// Failure is what the destination of failures gets, as JSON.
type Failure struct {
	ID       string    `json:"id"`
	Function string    `json:"function"`
	Accepted time.Time `json:"accepted"`
	Attempts int       `json:"attempts"`
	Error    string    `json:"error"` // of the last attempt
	Type     string    `json:"content_type,omitempty"`
	Payload  string    `json:"payload,omitempty"`        // if it is text
	Bytes    []byte    `json:"payload_base64,omitempty"` // otherwise
}

func (p *pending) failure() Failure {
	f := Failure{ID: p.ID, Function: p.Function, Accepted: p.Accepted, Attempts: p.Attempts, Error: p.Error, Type: p.Type}
	if utf8.Valid(p.Body) {
		f.Payload = string(p.Body)
	} else {
		f.Bytes = p.Body
	}
	return f
}
