package telemetry_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// tailServer serves the tails of an Observer.
func tailServer(t testing.TB, o *telemetry.Observer) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := o.ServeTail(w, r, r.URL.Path[1:]); err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { o.Close() })
	return s
}

// reader reads a tail.
type reader struct {
	net.Conn
	t testing.TB
}

func connect(t testing.TB, s *httptest.Server, ticket string) (*reader, error) {
	t.Helper()
	conn, _, _, err := ws.Dialer{Protocols: []string{"trace-v1"}}.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/"+ticket)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	return &reader{conn, t}, nil
}

// mustTail opens a tail and connects to it.
func mustTail(t testing.TB, o *telemetry.Observer, s *httptest.Server, filters string, alive func() bool) *reader {
	t.Helper()
	f, err := telemetry.ParseFilters([]byte(filters), self)
	if err != nil {
		t.Fatal(err)
	}
	tail, err := o.OpenTail("local", "shop", f, alive)
	if err != nil {
		t.Fatal(err)
	}
	r, err := connect(t, s, tail.Ticket)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type shown struct {
	Outcome, ScriptName, RequestID string
	ScriptVersion                  struct{ ID string }
	Exceptions                     []struct{ Name, Message, Stack string }
	Logs                           []struct {
		Level   string
		Message []string
	}
	EventTimestamp int64
	Event          struct {
		Request struct {
			Method, URL string
			Headers     map[string]string
		}
		Response      struct{ Status int }
		Type, Message string
		Cron          string
		ScheduledTime int64
		Key           string
		Deleted       bool
		Revision      uint64
	}
	CPUTime, WallTime float64
}

func (r *reader) next() (e shown) {
	r.t.Helper()
	text, op, err := wsutil.ReadServerData(r.Conn)
	if err != nil || op != ws.OpText {
		r.t.Fatalf("read event: %v, %v", op, err)
	}
	mustJSON(r.t, text, &e)
	return e
}

// closed reads on to the end, and returns why the node ended the tail.
func (r *reader) closed() string {
	r.t.Helper()
	for {
		_, _, err := wsutil.ReadServerData(r.Conn)
		if c, ok := errors.AsType[wsutil.ClosedError](err); ok {
			return c.Reason
		}
		if err != nil {
			return err.Error()
		}
	}
}

// One account can't take all tails of the node.
func TestTailsOfAccount(t *testing.T) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	var err error
	n := 0
	for ; err == nil && n < 1100; n++ {
		_, err = o.OpenTail("greedy", fmt.Sprint("f", n/5), telemetry.Filter{}, nil)
	}
	if host.CodeOf(err) != host.CodeLimit || !strings.Contains(err.Error(), "account greedy") || n > 200 {
		t.Errorf("tail %d: got %v", n, err)
	}
	if _, err := o.OpenTail("other", "f", telemetry.Filter{}, nil); err != nil {
		t.Error(err)
	}
}

func TestTailShows(t *testing.T) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	r := mustTail(t, o, tailServer(t, o), "", nil)
	at := new(telemetry.Observed)
	invocation{function: "other"}.run(t, o, new(telemetry.Observed))
	invocation{account: "other"}.run(t, o, new(telemetry.Observed))
	invocation{method: "PUT", url: "http://shop.localhost/?a=b", headers: "Authorization\x00Basic x\x00cookie\x00c\x00x-api-key\x00k\x00accept\x00a\x00accept\x00b\x00",
		logs: []string{"one", "two"}, ended: failed(host.OutcomeException, trap), usage: host.Usage{CPU: 1500 * time.Microsecond, Wall: 2 * time.Millisecond}}.run(t, o, at)
	e := r.next()
	if e.Outcome != "exception" || e.ScriptName != "shop" || e.ScriptVersion.ID != "v1" || e.RequestID != "r1" || e.CPUTime != 1.5 || e.WallTime != 2 || e.EventTimestamp == 0 {
		t.Errorf("got %+v", e)
	}
	if len(e.Logs) != 2 || e.Logs[1].Level != "info" || e.Logs[1].Message[0] != "two" {
		t.Errorf("logs %+v", e.Logs)
	}
	if len(e.Exceptions) != 1 || e.Exceptions[0].Name != "RuntimeError" || e.Exceptions[0].Stack != "    at main.inner()\n    at main.fetch()" {
		t.Errorf("exceptions %+v", e.Exceptions)
	}
	h := e.Event.Request.Headers
	if h["authorization"] != "REDACTED" || h["cookie"] != "REDACTED" || h["x-api-key"] != "REDACTED" || h["accept"] != "a, b" ||
		e.Event.Request.URL != "http://shop.localhost/?a=b" || e.Event.Request.Method != "PUT" || e.Event.Response.Status != 500 {
		t.Errorf("event %+v", e.Event)
	}
}

func TestTailFilters(t *testing.T) {
	tests := []struct {
		filter string
		yes    invocation
		no     invocation
	}{
		{`{"outcome":["exception","exceededCpu"]}`, invocation{ended: failed(host.OutcomeExceededCPU, "x")}, invocation{}},
		{`{"outcome":["unknown"]}`, invocation{ended: failed(host.OutcomeExceededWallTime, "x")}, invocation{ended: failed(host.OutcomeException, "x")}},
		{`{"method":["put"]}`, invocation{method: "PUT"}, invocation{}},
		{`{"header":{"key":"X-A"}}`, invocation{headers: "x-a\x00b\x00"}, invocation{headers: "x-b\x00b\x00"}},
		{`{"header":{"key":"x-a","query":"bc"}}`, invocation{headers: "x-a\x00abcd\x00"}, invocation{headers: "x-a\x00b\x00"}},
		{`{"query":"need"}`, invocation{logs: []string{"a", "a needle"}}, invocation{logs: []string{"a"}}},
		{`{"query":"inner"}`, invocation{ended: failed(host.OutcomeException, trap)}, invocation{}},
		{`{"scriptVersion":"v2"}`, invocation{version: "v2"}, invocation{}},
		{`{"client_ip":["self"]}`, invocation{}, invocation{client: "192.0.2.8"}},
	}
	for _, tt := range tests {
		t.Run(tt.filter, func(t *testing.T) {
			o := telemetry.NewObserver(telemetry.ObserverConfig{})
			r := mustTail(t, o, tailServer(t, o), `{"filters":[`+tt.filter+`]}`, nil)
			tt.no.run(t, o, new(telemetry.Observed))
			tt.yes.logs = append(tt.yes.logs, "the one")
			tt.yes.run(t, o, new(telemetry.Observed))
			if e := r.next(); len(e.Logs) == 0 || e.Logs[len(e.Logs)-1].Message[0] != "the one" {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// A reader that does not read loses the tail, and nobody waits for it.
func TestTailThatIsNotRead(t *testing.T) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	s := tailServer(t, o)
	r := mustTail(t, o, s, "", nil)
	at := new(telemetry.Observed)
	large := invocation{headers: "x\x00" + strings.Repeat("y", 100<<10) + "\x00"}
	for n := 0; len(o.Tails("local", "shop")) > 0; n++ {
		large.run(t, o, at)
		if n > 1e6 {
			t.Fatal("it still is there")
		}
	}
	if why := r.closed(); strings.Contains(why, "timeout") {
		t.Errorf("the reader learns of it by %q", why)
	}
}

// So many in a second are shown, and the reader is told of the rest.
func TestTailOverload(t *testing.T) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	r := mustTail(t, o, tailServer(t, o), "", nil)
	at := new(telemetry.Observed)
	for range 500 {
		invocation{}.run(t, o, at)
	}
	events := 0
	for {
		invocation{}.run(t, o, at)
		e := r.next()
		if e.Event.Type == "overload" && strings.Contains(e.Event.Message, "were left out: more than 100 a second") {
			break
		}
		if events++; events > 1000 {
			t.Fatal("nothing was left out")
		}
	}
}

func TestTailEnds(t *testing.T) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	s := tailServer(t, o)
	for _, tt := range []struct {
		name string
		end  func()
		want string
	}{
		{"closed", func() { o.CloseTail("local", "shop", o.Tails("local", "shop")[0].ID) }, "the tail was closed"},
		{"deleted", func() { o.Forget("local", "shop") }, "the tail was closed"},
		{"another is deleted, then the account", func() { o.Forget("local", "other"); o.Forget("local", "") }, "the tail was closed"},
		{"node ends", func() { o.Close() }, "the node is shutting down"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := mustTail(t, o, s, "", nil)
			tt.end()
			if why := r.closed(); why != tt.want {
				t.Errorf("got %q, want %q", why, tt.want)
			}
		})
	}
}

// Tickets are good for one reader, and only for a WebSocket of the right kind.
func TestTailTickets(t *testing.T) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	s := tailServer(t, o)
	tail, err := o.OpenTail("local", "shop", telemetry.Filter{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.Get(s.URL + "/" + tail.Ticket); err != nil || resp.StatusCode != http.StatusTeapot {
		t.Errorf("a plain request: %v, %v", resp, err)
	}
	if _, _, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/"+tail.Ticket); err == nil {
		t.Error("a WebSocket without the subprotocol")
	}
	if _, err := connect(t, s, tail.ID); err == nil {
		t.Error("the id was taken for the ticket")
	}
	if _, err := connect(t, s, tail.Ticket); err != nil {
		t.Errorf("the ticket: %v", err)
	}
	if _, err := connect(t, s, tail.Ticket); err == nil {
		t.Error("a second reader")
	}
}

// Tails to which nobody comes are gone after a while, and all after some hours.
func TestTailsAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	o := telemetry.NewObserver(telemetry.ObserverConfig{Now: func() time.Time { return now }})
	open := func() error {
		_, err := o.OpenTail("local", "shop", telemetry.Filter{}, nil)
		return err
	}
	for range 10 {
		if err := open(); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(); err == nil || err.Error() != "shop has 10 tails already; end one of them" {
		t.Errorf("the eleventh: %v", err)
	}
	now = now.Add(6 * time.Minute)
	if err := open(); err != nil {
		t.Error(err)
	}
	if n := len(o.Tails("local", "shop")); n != 1 {
		t.Errorf("%d tails, want 1", n)
	}
}

// wrangler pings with a text, which has to come back, and does not mask its first
// message. A tail whose token was revoked ends, and so does one that has expired.
func TestTailKeepsAlive(t *testing.T) {
	for _, tt := range []struct {
		name  string
		valid bool
		want  string
		after time.Duration
	}{{"revoked", false, "the token that the tail was begun with is no longer valid", time.Minute}, {"expired", true, "the tail has expired; begin another one", 7 * time.Hour}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testKeepAlive(t, tt.valid, tt.want, tt.after) })
		})
	}
}

func testKeepAlive(t *testing.T, valid bool, want string, within time.Duration) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	var ok atomic.Bool
	ok.Store(true)
	tail, err := o.OpenTail("local", "shop", telemetry.Filter{}, ok.Load)
	if err != nil {
		t.Fatal(err)
	}
	node, client := net.Pipe()
	defer client.Close()
	served := make(chan error, 1)
	go func() { served <- o.ServeTail(hijacked{node}, tailRequest(), tail.Ticket) }()
	from := bufio.NewReader(client)
	if _, err := http.ReadResponse(from, nil); err != nil {
		t.Fatal(err)
	}
	ws.WriteFrame(client, ws.NewTextFrame([]byte(`{"debug":false}`))) // not masked
	ws.WriteFrame(client, ws.MaskFrame(ws.NewPingFrame([]byte("wrangler tail ping"))))
	if f, err := ws.ReadFrame(from); err != nil || f.Header.OpCode != ws.OpPong || string(f.Payload) != "wrangler tail ping" {
		t.Errorf("got %v %q, %v; want the pong", f.Header.OpCode, f.Payload, err)
	}
	ok.Store(valid)
	began := time.Now()
	for {
		f, err := ws.ReadFrame(from)
		if err != nil {
			t.Fatal(err)
		}
		if f.Header.OpCode == ws.OpClose {
			if _, why := ws.ParseCloseFrameData(f.Payload); why != want || time.Since(began) > within {
				t.Errorf("got %q after %v, want %q", why, time.Since(began), want)
			}
			break
		}
		ws.WriteFrame(client, ws.MaskFrame(ws.NewPongFrame(f.Payload)))
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// tailRequest is what the reader of a tail begins with.
func tailRequest() *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for name, value := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Protocol": "trace-v1", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
		r.Header.Set(name, value)
	}
	return r
}

// hijacked is a ResponseWriter whose connection is given away.
type hijacked struct{ net.Conn }

func (hijacked) Header() http.Header           { return http.Header{} }
func (hijacked) WriteHeader(int)               {}
func (h hijacked) Write(p []byte) (int, error) { return h.Conn.Write(p) }
func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.Conn, bufio.NewReadWriter(bufio.NewReader(h.Conn), bufio.NewWriter(h.Conn)), nil
}

func TestTailOfScheduled(t *testing.T) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	r := mustTail(t, o, tailServer(t, o), "", nil)
	at := new(telemetry.Observed)
	invocation{scheduled: &host.Scheduled{Cron: "0 5 * * *", Time: time.UnixMilli(1_795_669_200_000)}}.run(t, o, at)
	if e := r.next().Event; e.Cron != "0 5 * * *" || e.ScheduledTime != 1_795_669_200_000 || e.Request.Method != "" {
		t.Errorf("got %+v", e)
	}
}

func TestTailOfChange(t *testing.T) {
	o := telemetry.NewObserver(telemetry.ObserverConfig{})
	r := mustTail(t, o, tailServer(t, o), "", nil)
	at := new(telemetry.Observed)
	invocation{change: &host.KVChange{Key: "k", Deleted: true, Revision: 7, Value: []byte("secret")}}.run(t, o, at)
	if e := r.next().Event; e.Key != "k" || !e.Deleted || e.Revision != 7 || e.Request.Method != "" {
		t.Errorf("got %+v", e)
	}
}
