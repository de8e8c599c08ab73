package native_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

func TestRespond(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	g.Want(0, "respond", with(201, g.puts("content-type\x00text/plain\x00set-cookie\x00a\x00set-cookie\x00\x00", "hello"))...)
	g.Want(state, "respond", 200, 0, 0, 0, 0)
	g.Want(state, "respond_stream", 200, 0, 0)
	wantError(t, g, "answered already")
	got := g.End()
	if got.Status != 201 || string(got.Body) != "hello" || got.Answers != 1 || got.Usage.BytesOut != 5 {
		t.Errorf("got %d %q in %d answers of %d bytes", got.Status, got.Body, got.Answers, got.Usage.BytesOut)
	}
	if want := "content-type\x00text/plain\x00set-cookie\x00a\x00set-cookie\x00\x00"; string(got.Headers) != want {
		t.Errorf("headers %q, want %q", got.Headers, want)
	}
}

func TestRespondRefused(t *testing.T) {
	tests := []struct {
		name    string
		status  int64
		headers string
		want    int64
	}{
		{"status 0", 0, "", invalid},
		{"status 101", 101, "", invalid},
		{"status 199", 199, "", invalid},
		{"status 600", 600, "", invalid},
		{"negative status", -200, "", invalid},
		{"name without value", 200, "a", invalid},
		{"value without end", 200, "a\x00b", invalid},
		{"second field cut", 200, "a\x00b\x00c\x00", invalid},
		{"empty name", 200, "\x00b\x00", invalid},
		{"space in name", 200, "a b\x00c\x00", invalid},
		{"colon in name", 200, "a:\x00c\x00", invalid},
		{"not ASCII", 200, "é\x00c\x00", invalid},
		{"line end in value", 200, "a\x00b\r\nc: d\x00", invalid},
		{"line feed in value", 200, "a\x00b\nc\x00", invalid},
		{"delete in value", 200, "a\x00\x7f\x00", invalid},
		{"space before", 200, "a\x00 b\x00", invalid},
		{"tab behind", 200, "a\x00b\t\x00", invalid},
		{"too long", 200, "a\x00" + strings.Repeat("b", host.MaxHeaders-2) + "\x00", tooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuest(t, hosttest.Invocation{})
			g.Memory().Grow(3)
			g.Put(page, tt.headers)
			g.Want(tt.want, "respond", tt.status, page, int64(len(tt.headers)), 0, 0)
			g.Want(tt.want, "respond_stream", tt.status, page, int64(len(tt.headers)))
			g.Want(state, "wait_until") // nothing was answered
			g.Want(0, "respond", 200, 0, 0, 0, 0)
			if got := g.End(); got.Answers != 1 || got.Status != 200 {
				t.Errorf("%d answers, status %d, want the one with 200", got.Answers, got.Status)
			}
		})
	}
}

func TestRespondAccepted(t *testing.T) {
	for _, tt := range []struct {
		status  int64
		headers string
	}{
		{200, ""},
		{599, "x\x00\x00"},
		{200, "x\x00a\tb \xff c\x00"},
		{404, "a\x00" + strings.Repeat("b", host.MaxHeaders-3) + "\x00"},
	} {
		g := newGuest(t, hosttest.Invocation{})
		g.Memory().Grow(3)
		g.Put(page, tt.headers)
		g.Want(0, "respond", tt.status, page, int64(len(tt.headers)), 0, 0)
		if got := g.End(); got.Status != int(tt.status) || string(got.Headers) != tt.headers {
			t.Errorf("got %d %.20q, want %d %.20q", got.Status, got.Headers, tt.status, tt.headers)
		}
	}
}

func TestRespondTooLarge(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{Limits: host.Limits{Response: 10}})
	g.Want(tooLarge, "respond", 200, 0, 0, 0, 11)
	wantError(t, g, "respond_stream")
	g.Want(0, "respond", 200, 0, 0, 0, 10)
	if got := g.End(); string(got.Body) != "??????????" {
		t.Errorf("body %q, want ten question marks", got.Body)
	}
}

// refusing is a Responder that can't do what is wanted.
type refusing struct{ err error }

func (r refusing) Respond(int, host.Headers, []byte) error           { return r.err }
func (r refusing) Stream(int, host.Headers) (host.BodyWriter, error) { return nil, r.err }
func (r refusing) Detach() error                                     { return r.err }

func TestResponderFails(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{})
	recorder := g.Call.Responder
	g.Call.Responder = refusing{host.Errorf(host.CodeUnavailable, "not today")}
	g.Want(unavailable, "respond", 200, 0, 0, 0, 0)
	g.Want(unavailable, "respond_stream", 200, 0, 0)
	g.Want(state, "wait_until")
	g.Call.Responder = recorder
	g.Want(0, "respond", 200, 0, 0, 0, 0)
	g.Call.Responder = refusing{errors.New("secret")}
	g.Want(internal, "wait_until")
	wantError(t, g, "internal error")
	g.Call.Responder = recorder
	g.Want(0, "wait_until")
	g.End()
}

func TestRespondStream(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{Limits: host.Limits{Response: 1}})
	body := g.Must("respond_stream", with(200, g.puts("a\x00b\x00"))...)
	for _, text := range []string{"first", "second"} {
		g.Want(int64(len(text)), "body_write", with(body, g.puts(text))...)
	}
	g.Want(0, "body_write", body, 0, 0)
	g.Want(badHandle, "body_read", body, 0, 1)
	g.Want(state, "respond", 200, 0, 0, 0, 0)
	g.Want(state, "respond_stream", 200, 0, 0)
	g.Want(0, "close", body)
	g.Want(badHandle, "body_write", body, 0, 1)
	got := g.End()
	if want := []string{"first", "second"}; !slices.Equal(got.Writes, want) || got.Usage.BytesOut != 11 {
		t.Errorf("writes %q of %d bytes, want %q", got.Writes, got.Usage.BytesOut, want)
	}
	if !got.Closed || got.CloseErr != nil || !got.Streamed || string(got.Headers) != "a\x00b\x00" {
		t.Errorf("got %+v", got.Recorder)
	}
}

func TestRespondStreamClientGone(t *testing.T) {
	g := newGuest(t, hosttest.Invocation{Recorder: &hosttest.Recorder{Gone: true}})
	body := g.Must("respond_stream", 200, 0, 0)
	g.Want(canceled, "body_write", body, 0, 10)
	g.Want(canceled, "body_write", body, 0, 10)
	if got := g.End(); got.Usage.BytesOut != 0 {
		t.Errorf("%d bytes out, want 0", got.Usage.BytesOut)
	}
}

// streaming begins a response, leaves it open and does what end says.
func streaming(end ...[]byte) []byte {
	var m hosttest.Module
	i32 := abi.I32
	stream := m.Import("mayfly", "respond_stream", []byte{i32, i32, i32}, []byte{i32})
	write := m.Import("mayfly", "body_write", []byte{i32, i32, i32}, []byte{i32})
	m.Memory(1)
	m.Data(8, []byte("begun"))
	body := [][]byte{
		hosttest.I32Const(200), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.Call(stream),
		hosttest.I32Const(8), hosttest.I32Const(5), hosttest.Call(write), hosttest.Drop,
	}
	m.Func("fetch", nil, nil, nil, append(body, end...)...)
	return m.Bytes()
}

// A stream that is open at the end of the guest ends as the guest did.
func TestStreamEnds(t *testing.T) {
	got := hosttest.Run(t, native.New(), streaming(), hosttest.Request("GET", "http://localhost/", ""))
	if got.Err != nil || !got.Closed || got.CloseErr != nil || string(got.Body) != "begun" {
		t.Errorf("after return: %v, %+v", got.Err, got.Recorder)
	}
	got = hosttest.Run(t, native.New(), streaming(hosttest.Unreachable), hosttest.Request("GET", "http://localhost/", ""))
	if got.Err == nil || !got.Closed || got.CloseErr == nil || string(got.Body) != "begun" {
		t.Errorf("after a trap: %v, %+v", got.Err, got.Recorder)
	}
}

func TestWaitUntil(t *testing.T) {
	for _, answer := range []string{"respond", "respond_stream"} {
		t.Run(answer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { waitUntil(t, answer) })
		})
	}
}

func waitUntil(t *testing.T, answer string) {
	g := newGuest(t, hosttest.Invocation{Limits: host.Limits{Wall: 10 * time.Second, AfterResponse: 4 * time.Second}})
	g.Want(state, "wait_until")
	g.Must(answer, []int64{200, 0, 0, 0, 0}[:len(g.params(answer))]...)
	time.Sleep(9 * time.Second)
	g.Want(0, "wait_until")
	g.Want(int64(4*time.Second), "time_left")
	time.Sleep(3 * time.Second) // beyond the first deadline
	g.Want(0, "wait_until")     // no more time by asking again
	g.Want(int64(time.Second), "time_left")
	g.Want(timeout, "wait", 0, 0, int64(time.Second/2))
	started := time.Now()
	g.wantEnd(host.CodeTimeout, "wait", 0, 0, -1)
	if waited := time.Since(started); waited != time.Second/2 {
		t.Errorf("ended after %v, want %v", waited, time.Second/2)
	}
	if got := g.End(); !got.Detached {
		t.Error("the answer was not sent early")
	}
}

// params are the parameters of a function of this ABI.
func (g *guest) params(name string) []abi.Type {
	f, _ := own().Find(name)
	return f.Params
}
