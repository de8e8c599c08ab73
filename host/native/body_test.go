package native_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// steps is a body of pieces that arrive one by one. A piece is a string or an
// error; after the last one it ends.
type steps struct {
	pieces []any
	closed bool
}

func (s *steps) Read(p []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	switch piece := s.pieces[0].(type) {
	case error:
		return 0, piece
	case string:
		n := copy(p, piece)
		if s.pieces[0] = piece[n:]; n == len(piece) {
			s.pieces = s.pieces[1:]
		}
		return n, nil
	}
	panic("a piece is a string or an error")
}

func (s *steps) Close() error {
	s.closed = true
	return nil
}

// reading is a guest with the handle of its request's body.
func reading(t testing.TB, body io.Reader) (*guest, int64) {
	t.Helper()
	g := newGuest(t, hosttest.Invocation{Request: host.Request{Body: body}})
	return g, g.Must("request_body")
}

func TestRequestBodyOnce(t *testing.T) {
	g, body := reading(t, strings.NewReader("text"))
	g.Want(state, "request_body")
	g.Want(0, "close", body)
	g.Want(state, "request_body")
	g.Next(hosttest.Invocation{})
	g.Want(notFound, "request_body")
	wantError(t, g, "no body")
	g.End()
}

func TestBodyRead(t *testing.T) {
	g, body := reading(t, &steps{pieces: []any{"abc", "", "de"}})
	g.Want(invalid, "body_read", body, 100, 0)
	g.Want(2, "body_read", body, 100, 2)
	g.WantMemory(100, "ab")
	g.Want(1, "body_read", body, 200, 50)
	g.WantMemory(200, "c")
	g.Want(2, "body_read", body, 300, 2)
	g.WantMemory(300, "de")
	g.Want(0, "body_read", body, 400, 9)
	g.Want(0, "body_read", body, 400, 9)
	g.WantMemory(400, "?")
	g.Want(badHandle, "body_write", body, 0, 1)
	if got := g.End(); got.Usage.BytesIn != 5 {
		t.Errorf("%d bytes in, want 5", got.Usage.BytesIn)
	}
}

// Bytes that come with an error are given first, and the error again and again.
func TestBodyReadError(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want int64
	}{
		{"over the limit", host.Errorf(host.CodeTooLarge, "over the limit"), tooLarge},
		{"client gone", host.Errorf(host.CodeCanceled, "gone"), canceled},
		{"a fault", errors.New("disk on fire"), internal},
		{"the end", io.EOF, 0},
	}
	for _, tt := range tests {
		for _, ahead := range []bool{false, true} {
			for name, body := range map[string]io.Reader{
				"after":  &steps{pieces: []any{"ab", tt.err}},
				"with":   iotest.DataErrReader(&steps{pieces: []any{"ab", tt.err}}),
				"at all": &steps{pieces: []any{tt.err}},
			} {
				t.Run(fmt.Sprint(tt.name, " ", name, " ", ahead), func(t *testing.T) {
					bodyReadError(t, body, ahead, name != "at all", tt.want)
				})
			}
		}
	}
}

func bodyReadError(t *testing.T, body io.Reader, ahead, text bool, want int64) {
	g, h := reading(t, body)
	g.Put(512, uint32(h))
	if ahead {
		g.Want(0, "wait", 512, 1, -1)
	}
	if text {
		g.Want(1, "body_read", h, 100, 1)
		g.Want(1, "body_read", h, 102, 1)
		g.WantMemory(100, "a?b")
	}
	for range 2 {
		if ahead {
			g.Want(0, "wait", 512, 1, -1)
		}
		g.Want(want, "body_read", h, 200, 9)
	}
	g.WantMemory(200, "?")
	g.End()
}

// What was read ahead is given piece by piece, and reading ahead goes on.
func TestBodyReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, body := reading(t, &steps{pieces: []any{"abc", "", "defg", "h"}})
		g.Put(512, uint32(body))
		var got strings.Builder
		for {
			g.Want(0, "wait", 512, 1, -1)
			g.Want(0, "wait", 512, 1, 0) // still ready
			n := g.Must("body_read", body, 1024, 2)
			if n <= 0 {
				break
			}
			got.Write(g.Bytes(1024, uint32(n)))
		}
		if got.String() != "abcdefgh" {
			t.Errorf("got %q", got.String())
		}
		if result := g.End(); result.Usage.BytesIn != 8 {
			t.Errorf("%d bytes in, want 8", result.Usage.BytesIn)
		}
	})
}

// Bytes are in order whether the guest waits for them or not.
func TestBodyReadMixed(t *testing.T) {
	want := strings.Repeat("0123456789", 5000)
	g, body := reading(t, strings.NewReader(want))
	g.Put(512, uint32(body))
	var got strings.Builder
	for i := range 10_000 {
		if i%3 == 0 {
			g.Want(0, "wait", 512, 1, -1)
		}
		n := g.Must("body_read", body, 1024, int64(1+i%11*100))
		if n == 0 {
			break
		}
		got.Write(g.Bytes(1024, uint32(n)))
	}
	if got.String() != want {
		t.Errorf("%d bytes arrived, not the %d in order", got.Len(), len(want))
	}
	g.End()
}

func TestBodyCloses(t *testing.T) {
	body := &steps{pieces: []any{"text"}}
	g, h := reading(t, body)
	g.Want(0, "close", h)
	if !body.closed {
		t.Error("closing the handle left the body open")
	}
	body = &steps{pieces: []any{"text"}}
	g.Next(hosttest.Invocation{Request: host.Request{Body: body}})
	g.Must("request_body")
	if g.End(); !body.closed {
		t.Error("the end of the invocation left the body open")
	}
}

// Closing a body whose bytes are being waited for ends the reading.
func TestCloseWhileReadingAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		defer w.Close()
		g, body := reading(t, r)
		g.Put(512, uint32(body))
		g.Want(timeout, "wait", 512, 1, 0)
		synctest.Wait() // the reading has begun
		g.Want(0, "close", body)
		g.End()
	})
}
