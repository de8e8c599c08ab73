package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// TailFilter is one of the filters of a tail, in the form in which wrangler sends
// them: one of the fields is set.
type TailFilter struct {
	SamplingRate  float64       `json:"sampling_rate,omitempty"`
	Outcome       []string      `json:"outcome,omitempty"`
	Method        []string      `json:"method,omitempty"`
	Header        *HeaderFilter `json:"header,omitempty"`
	ClientIP      []string      `json:"client_ip,omitempty"`
	Query         string        `json:"query,omitempty"`
	ScriptVersion string        `json:"scriptVersion,omitempty"`
}

// HeaderFilter wants a header, with a value that contains Query.
type HeaderFilter struct {
	Key   string `json:"key"`
	Query string `json:"query,omitempty"`
}

// Tail is a tail of a Function that may be read.
type Tail struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// CreateTail prepares a tail of a Function.
func (c *Client) CreateTail(ctx context.Context, name string, filters []TailFilter) (t Tail, err error) {
	in := map[string]any{"filters": append([]TailFilter{}, filters...)}
	_, err = c.send(ctx, http.MethodPost, c.account("workers", "scripts", name, "tails"), in, &t)
	return t, err
}

// DeleteTail ends a tail.
func (c *Client) DeleteTail(ctx context.Context, name, id string) error {
	_, err := c.send(ctx, http.MethodDelete, c.account("workers", "scripts", name, "tails", id), nil, nil)
	return err
}

// TailConn is a tail that is being read.
type TailConn struct {
	conn net.Conn
	from *bufio.Reader
}

const (
	tailProtocol = "trace-v1"
	tailSilence  = 45 * time.Second // a node says something three times as often
	maxEvent     = 4 << 20          // bytes
)

// OpenTail connects to a tail. Close ends it.
func (c *Client) OpenTail(ctx context.Context, t Tail) (*TailConn, error) {
	d := ws.Dialer{Protocols: []string{tailProtocol}, Timeout: timeout}
	conn, from, _, err := d.Dial(ctx, t.URL)
	if err != nil {
		return nil, &UnreachableError{t.URL, err}
	}
	if from == nil {
		from = bufio.NewReader(conn)
	}
	return &TailConn{conn: conn, from: from}, nil
}

// Close ends the connection; it may be called during Next.
func (t *TailConn) Close() error { return t.conn.Close() }

// Next returns the next event as the node wrote it, or io.EOF with nothing more to
// come, or why the node ended the tail.
func (t *TailConn) Next() (json.RawMessage, error) {
	for {
		f, err := t.frame()
		if err != nil {
			return nil, err
		}
		switch f.Header.OpCode {
		case ws.OpText:
			return f.Payload, nil
		case ws.OpPing:
			if err := t.write(ws.NewPongFrame(f.Payload)); err != nil {
				return nil, err
			}
		case ws.OpClose:
			return nil, closed(f.Payload)
		}
	}
}

// closed is why the node ended the tail.
func closed(payload []byte) error {
	if code, reason := ws.ParseCloseFrameData(payload); code != ws.StatusNormalClosure {
		return errors.New(reason)
	}
	return io.EOF
}

func (t *TailConn) frame() (f ws.Frame, err error) {
	t.conn.SetReadDeadline(time.Now().Add(tailSilence))
	if f.Header, err = ws.ReadHeader(t.from); err != nil {
		return f, fmt.Errorf("read tail: %w", err)
	}
	if f.Header.Length > maxEvent {
		return f, fmt.Errorf("read tail: an event of %d bytes", f.Header.Length)
	}
	f.Payload = make([]byte, f.Header.Length)
	if _, err = io.ReadFull(t.from, f.Payload); err != nil {
		return f, fmt.Errorf("read tail: %w", err)
	}
	return f, nil
}

func (t *TailConn) write(f ws.Frame) error {
	t.conn.SetWriteDeadline(time.Now().Add(timeout))
	return ws.WriteFrame(t.conn, ws.MaskFrameInPlace(f))
}

// Failure is an invocation that failed.
type Failure struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"request_id"`
	VersionID string    `json:"version_id"`
	Outcome   string    `json:"outcome"`
	Method    string    `json:"method"`
	URL       string    `json:"url"`
	Status    int       `json:"status"`
	Name      string    `json:"name"`
	Message   string    `json:"message"`
	Stack     string    `json:"stack,omitempty"`
	Log       string    `json:"log,omitempty"`  // the end of what it logged
	Node      string    `json:"node,omitempty"` // where, in a cluster
}

// Failures lists the last invocations of a Function that failed, newest first, and says
// which nodes of a cluster have not told of theirs.
func (c *Client) Failures(ctx context.Context, name string) (all []Failure, missing []Message, err error) {
	info, err := c.send(ctx, http.MethodGet, c.account("workers", "scripts", name, "errors"), nil, &all)
	return all, info.said, err
}

// Empty reports whether a filter asks for nothing.
func (f TailFilter) Empty() bool {
	return f.SamplingRate == 0 && len(f.Outcome) == 0 && len(f.Method) == 0 && f.Header == nil && len(f.ClientIP) == 0 && f.Query == "" && f.ScriptVersion == ""
}
