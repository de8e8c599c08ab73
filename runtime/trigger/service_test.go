package trigger_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// relayGuest answers with what the Function bound to PEER answers to "GET" of url,
// or with status 502 and the message why it does not.
func relayGuest(url string) []byte {
	const op, n = 0, 1
	text := "PEERGET" + url
	return guest(text, func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(0, 4), hosttest.Call(call["fetcher_open"]),
			numbers(4, 3, 7, int32(len(url)), 0, 0, 0, 0), hosttest.Call(call["fetcher_send"]), hosttest.LocalTee(op),
			hosttest.Call(call["fetch_status"]), numbers(0), hosttest.I32LtS,
			hosttest.If,
			numbers(502, 0, 0, bufferAt), numbers(bufferAt, bufferSz), hosttest.Call(call["last_error"]),
			hosttest.Call(call["respond"]), hosttest.Drop,
			hosttest.Else,
			hosttest.LocalGet(op), hosttest.Call(call["fetch_status"]), numbers(0, 0, bufferAt),
			hosttest.LocalGet(op), hosttest.Call(call["fetch_body"]), numbers(bufferAt, bufferSz), hosttest.Call(call["body_read"]),
			hosttest.Call(call["respond"]), hosttest.Drop,
			hosttest.End,
		}
	}, "fetcher_open", "fetcher_send", "fetch_status", "fetch_body", "body_read", "last_error", "respond")
}

// bind deploys a guest with PEER bound to a Function.
func (s *server) bind(name string, module []byte, peer string) {
	s.t.Helper()
	settings := deploy.Settings{Services: []deploy.Service{{Binding: "PEER", Service: peer}}}
	must(s.registry.Deploy(s.t.Context(), "local", name, deploy.Upload{Module: module, Settings: settings}))(s.t)
}

// caller is an Invocation with PEER bound to a Function, whose guest the test plays.
func (s *server) caller(peer string) *host.Call {
	s.t.Helper()
	s.bind("caller", helloGuest("hi"), peer)
	active, _ := s.registry.Lookup([]byte("http"), []byte("caller.localhost"), []byte("/"))
	c := &host.Call{
		ID: "caller", Services: s.services, Bindings: active.Main().Bindings, Limits: host.DefaultLimits(),
		Request: host.Request{Client: netip.MustParseAddr("192.0.2.1"), Headers: host.Headers{}.Add("cdn-loop", "mayfly-other")},
	}
	c.Begin(s.t.Context())
	return c
}

func ask(t testing.TB, c *host.Call, req host.FetchRequest, body string) (status int, answer string, err error) {
	t.Helper()
	x, refused := c.FetchFrom(c.Bindings.Fetchers["PEER"], &req, []byte(body), false)
	if refused != nil {
		t.Fatal(refused)
	}
	response, err := x.Response(c)
	if err != nil {
		return 0, "", err
	}
	read := must(x.TakeBody(c))(t)
	defer read.Close()
	return response.Status, string(must(io.ReadAll(read))(t)), nil
}

func TestServiceCall(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"callee": helloGuest("hello from the other one")})
	s.bind("relay", relayGuest("http://callee/"), "callee")
	if status, body := s.get("relay", "/"); status != 200 || body != "hello from the other one" {
		t.Errorf("got %d %q", status, body)
	}
	must(s.registry.Deploy(t.Context(), "local", "callee", deploy.Upload{Module: helloGuest("a newer one")}))(t)
	if status, body := s.get("relay", "/"); status != 200 || body != "a newer one" {
		t.Errorf("after another deploy of the callee: got %d %q", status, body)
	}
	if n := s.metrics.Outcome(host.OutcomeOK); n != 2 {
		t.Errorf("%d invocations of the callee are counted, want 2", n)
	}
}

// What the callee sees is what the caller wrote, but for what the node vouches for.
func TestServiceRequest(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{
		"method": areaGuest("request_method"), "url": areaGuest("request_url"), "client": areaGuest("request_client"),
		"headers": areaGuest("request_headers"), "body": bodyGuest(),
	})
	for _, tt := range []struct{ callee, method, url, want string }{
		{"method", "PATCH", "http://a/", "PATCH"},
		{"url", "GET", "http://any.host/p%20q?x=y#z", "http://any.host/p%20q?x=y"},
		{"url", "GET", "HTTPS://auth:8080", "https://auth:8080/"},
		{"url", "GET", "https://auth?x", "https://auth/?x"},
		{"client", "GET", "http://a/", "192.0.2.1"},
		{"body", "POST", "http://a/", "the body"},
		{"headers", "POST", "https://auth/", "host\x00auth\x00x-own\x00One\x00content-length\x008\x00cdn-loop\x00mayfly-other\x00" +
			"cf-connecting-ip\x00192.0.2.1\x00x-forwarded-proto\x00https\x00x-forwarded-for\x00192.0.2.1\x00"},
	} {
		t.Run(tt.callee+" "+tt.url, func(t *testing.T) {
			c := s.caller(tt.callee)
			headers := host.Headers{}
			for _, f := range [][2]string{{"X-Own", "One"}, {"Host", "evil"}, {"CDN-Loop", ""}, {"cf-connecting-ip", "10.0.0.1"},
				{"X-Forwarded-For", "10.0.0.1"}, {"Content-Length", "99"}, {"Connection", "close"}, {"Transfer-Encoding", "chunked"}} {
				headers = headers.Add(f[0], f[1])
			}
			status, got, err := ask(t, c, host.FetchRequest{Method: tt.method, URL: tt.url, Headers: headers}, "the body")
			c.End(nil)
			if err != nil || status != 200 || got != tt.want {
				t.Errorf("got %d %q, %v; want %q", status, got, err, tt.want)
			}
		})
	}
}

// A call is in the trace of the request that led to it, unless the caller says
// otherwise.
func TestServiceTrace(t *testing.T) {
	const (
		client = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		own    = "00-11111111111111111111111111111111-2222222222222222-01"
	)
	s := start(t, host.Limits{}, map[string][]byte{"headers": areaGuest("request_headers")})
	for _, tt := range []struct {
		name    string
		headers [][2]string
		want    string
	}{
		{"passed on", nil, "traceparent\x00" + client + "\x00tracestate\x00a=b\x00"},
		{"with the headers", [][2]string{{"Traceparent", client}, {"tracestate", "a=b"}}, "traceparent\x00" + client + "\x00tracestate\x00a=b\x00"},
		{"of its own", [][2]string{{"traceparent", own}}, "traceparent\x00" + own + "\x00"},
	} {
		c := s.caller("headers")
		c.Request.Headers = c.Request.Headers.Add("traceparent", client).Add("tracestate", "a=b")
		var headers host.Headers
		for _, h := range tt.headers {
			headers = headers.Add(h[0], h[1])
		}
		_, got, err := ask(t, c, host.FetchRequest{Method: "GET", URL: "http://a/", Headers: headers}, "")
		c.End(nil)
		if err != nil || !strings.Contains(got, tt.want) || strings.Count(got, "trace") != strings.Count(tt.want, "trace") {
			t.Errorf("%s: got %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestServiceFails(t *testing.T) {
	limits := host.Limits{RequestBody: 1000, CPU: 50 * time.Millisecond, Wall: 5 * time.Minute}
	s := startWith(t, deploy.Config{Limits: limits, Memory: 1 << 30}, map[string][]byte{
		"trap": opsGuest(hosttest.Unreachable), "silent": opsGuest(), "spin": opsGuest(hosttest.Loop, hosttest.Br(0), hosttest.End),
		"body": bodyGuest(), "broken": brokenStreamGuest(), "gone": helloGuest("hi"),
		"trapslater": guest("hi", func(call map[string]uint32) [][]byte {
			return [][]byte{answer(call, 200, 2), hosttest.Unreachable}
		}, "respond"),
	})
	for _, tt := range []struct {
		callee, method, url, body string
		code                      host.Code
		says                      string
	}{
		{"trap", "GET", "http://a/", "", host.CodeUnavailable, "Function trap failed with outcome exception"},
		{"trapslater", "GET", "http://a/", "", host.CodeUnavailable, "outcome exception"},
		{"silent", "GET", "http://a/", "", host.CodeUnavailable, "outcome exception"},
		{"spin", "GET", "http://a/", "", host.CodeUnavailable, "outcome exceededCpu"},
		{"body", "POST", "http://a/", strings.Repeat("x", 1001), host.CodeTooLarge, "at most 1000 bytes"},
		{"body", "get", "http://a/", "", host.CodeInvalid, "capital letters"},
		{"body", "CONNECT", "http://a/", "", host.CodeInvalid, "not allowed"},
		{"body", "GET", "/path", "", host.CodeInvalid, "absolute"},
		{"body", "GET", "ftp://a/", "", host.CodeInvalid, "absolute"},
		{"body", "GET", "http:///path", "", host.CodeInvalid, "host"},
		{"body", "GET", "http://user@a/", "", host.CodeInvalid, "host"},
		{"body", "GET", "http://a/ b", "", host.CodeInvalid, "percent-encoded"},
	} {
		t.Run(tt.callee+" "+tt.method+" "+tt.url, func(t *testing.T) {
			c := s.caller(tt.callee)
			_, _, err := ask(t, c, host.FetchRequest{Method: tt.method, URL: tt.url}, tt.body)
			c.End(nil)
			wantError(t, err, tt.code, tt.says)
		})
	}
	t.Run("gone", func(t *testing.T) {
		c := s.caller("gone")
		if err := s.registry.Delete(t.Context(), "local", "gone", true); err != nil {
			t.Fatal(err)
		}
		_, _, err := ask(t, c, host.FetchRequest{Method: "GET", URL: "http://a/"}, "")
		c.End(nil)
		wantError(t, err, host.CodeNotFound, `Function "gone", which is bound to PEER, does not exist any more`)
	})
	t.Run("answer cut short", func(t *testing.T) {
		c := s.caller("broken")
		x, _ := c.FetchFrom(c.Bindings.Fetchers["PEER"], &host.FetchRequest{Method: "GET", URL: "http://a/"}, nil, false)
		body := must(x.TakeBody(c))(t)
		got, err := io.ReadAll(body)
		c.End(nil)
		if wantError(t, err, host.CodeUnavailable, "Function broken ended before"); string(got) != "part" {
			t.Errorf("read %q, want what was written before", got)
		}
	})
	s.waitForMemory()
}

func wantError(t *testing.T, err error, code host.Code, says string) {
	t.Helper()
	e, ok := errors.AsType[*host.Error](err)
	if !ok || e.Code != code || !strings.Contains(e.Msg, says) {
		t.Errorf("got %v, want %v with %q", err, code, says)
	}
}

// A loop is cut, and whoever began it learns of whom it consists.
func TestServiceLoop(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"b": helloGuest("not yet")})
	s.bind("a", relayGuest("http://b/"), "b")
	s.bind("b", relayGuest("http://a/"), "a")
	status, body := s.get("a", "/")
	if want := "... > a > b > a > b > a"; status != 502 || !strings.HasSuffix(body, want) {
		t.Errorf("got %d %q, want the end of the loop, %q", status, body, want)
	}
	if n := s.metrics.Outcome(host.OutcomeOK); n != host.MaxCallDepth-1 {
		t.Errorf("%d invocations were called, want %d", n, host.MaxCallDepth-1)
	}
}

// Bodies stream in both directions at the same time.
func TestServiceStream(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"echo": echoGuest()})
	c := s.caller("echo")
	x, refused := c.FetchFrom(c.Bindings.Fetchers["PEER"], &host.FetchRequest{Method: "POST", URL: "http://echo/"}, nil, true)
	if refused != nil {
		t.Fatal(refused)
	}
	response := must(x.Response(c))(t)
	if typ, _ := response.Headers.Get("content-type"); response.Status != 200 || string(typ) != "text/plain" {
		t.Errorf("got %d with %q", response.Status, response.Headers)
	}
	body, buf := must(x.TakeBody(c))(t), make([]byte, 100)
	for n := range 5 {
		piece := fmt.Sprintf("piece %d", n)
		must(x.Upload.Write([]byte(piece)))(t)
		if got := string(buf[:must(body.Read(buf))(t)]); got != piece {
			t.Errorf("got %q, want %q", got, piece)
		}
	}
	x.Upload.CloseWithError(nil)
	if rest := must(io.ReadAll(body))(t); len(rest) > 0 {
		t.Errorf("there is more: %q", rest)
	}
	c.End(nil)
}

// sleeper waits as long as it may, after it has logged that it is there.
func sleeper() []byte {
	return guest("asleep", func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(1, 0, 6), hosttest.Call(call["log"]), hosttest.Drop,
			numbers(0, 0), hosttest.I64Const(-1), hosttest.Call(call["wait"]), hosttest.Drop,
		}
	}, "log", "wait")
}

func (s *server) waitForLog(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, e := range s.guestLog.Entries() {
			if e.Text == text {
				return
			}
		}
	}
	s.t.Fatalf("nobody logged %q", text)
}

// waitForMemory waits until nothing counts as taken: instances are put back after
// their answer.
func (s *server) waitForMemory() {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); s.registry.RunningBytes() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%d bytes are still counted as taken", s.registry.RunningBytes())
		}
	}
}

// The callee ends with the caller, and at its own limit.
func TestServiceEnds(t *testing.T) {
	t.Run("with the caller", func(t *testing.T) {
		s := start(t, host.Limits{}, map[string][]byte{"sleeper": sleeper()})
		c := s.caller("sleeper")
		c.FetchFrom(c.Bindings.Fetchers["PEER"], &host.FetchRequest{Method: "GET", URL: "http://a/"}, nil, false)
		s.waitForLog("asleep")
		c.End(nil) // waits for it
		if n := s.metrics.Outcome(host.OutcomeCanceled); n != 1 {
			t.Errorf("%d were canceled, want 1", n)
		}
	})
	t.Run("at its own limit", func(t *testing.T) {
		s := start(t, host.Limits{Wall: 100 * time.Millisecond}, map[string][]byte{"sleeper": sleeper()})
		c := s.caller("sleeper")
		_, _, err := ask(t, c, host.FetchRequest{Method: "GET", URL: "http://a/"}, "")
		c.End(nil)
		wantError(t, err, host.CodeTimeout, "Function sleeper took longer than it may")
		if n := s.metrics.Outcome(host.OutcomeExceededWallTime); n != 1 {
			t.Errorf("%d exceeded the time, want 1", n)
		}
	})
}

// What a callee does after its answer, it does whatever became of the caller.
func TestServiceBackground(t *testing.T) {
	release := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer upstream.Close()
	s := start(t, host.Limits{}, map[string][]byte{"later": laterGuest(upstream.URL)})
	c := s.caller("later")
	status, body, err := ask(t, c, host.FetchRequest{Method: "GET", URL: "http://a/"}, "")
	c.End(nil)
	if err != nil || status != 200 || body != "first" {
		t.Errorf("got %d %q, %v", status, body, err)
	}
	close(release)
	s.waitForLog("later")
}

// Functions of an account do not reach those of another one.
func TestServiceOfAnotherAccount(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"auth": helloGuest("of local")})
	must(s.registry.CreateAccount(t.Context(), "shop", nil))(t)
	up := deploy.Upload{Module: relayGuest("http://auth/"), Settings: deploy.Settings{Services: []deploy.Service{{Binding: "PEER", Service: "auth"}}}}
	_, err := s.registry.Deploy(t.Context(), "shop", "relay", up)
	wantError(t, err, host.CodeInvalid, `Function "auth" does not exist in account shop`)
	must(s.registry.Deploy(t.Context(), "shop", "auth", deploy.Upload{Module: helloGuest("of shop")}))(t)
	must(s.registry.Deploy(t.Context(), "shop", "relay", up))(t)
	if status, body := s.get("relay.shop", "/"); status != 200 || body != "of shop" {
		t.Errorf("got %d %q", status, body)
	}
}

// Where HTTP has no body, neither has an answer.
func TestServiceWithoutBody(t *testing.T) {
	status := func(code int) []byte {
		return guest("text", func(call map[string]uint32) [][]byte { return [][]byte{answer(call, code, 4)} }, "respond")
	}
	s := start(t, host.Limits{}, map[string][]byte{"ok": status(200), "nothing": status(204), "same": status(304), "stream": echoGuest()})
	for _, tt := range []struct {
		callee, method string
		want           int
	}{{"ok", "HEAD", 200}, {"nothing", "GET", 204}, {"same", "GET", 304}, {"stream", "HEAD", 200}} {
		c := s.caller(tt.callee)
		code, body, err := ask(t, c, host.FetchRequest{Method: tt.method, URL: "http://a/"}, "")
		c.End(nil)
		if code != tt.want || body != "" || err != nil {
			t.Errorf("%s %s: got %d %q, %v; want %d and nothing", tt.method, tt.callee, code, body, err, tt.want)
		}
	}
}

// A callee that goes on after its answer counts for the account, although its caller
// may have ended.
func TestServiceGoesOn(t *testing.T) {
	release := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer upstream.Close()
	s := startWith(t, deploy.Config{AccountConcurrency: 1}, map[string][]byte{"later": laterGuest(upstream.URL), "hello": helloGuest("hello")})
	c := s.caller("later")
	if status, body, err := ask(t, c, host.FetchRequest{Method: "GET", URL: "http://a/"}, ""); status != 200 || body != "first" || err != nil {
		t.Fatalf("%d %q, %v", status, body, err)
	}
	c.End(nil)
	if status, _ := s.get("hello", "/"); status != 429 {
		t.Errorf("while it goes on: status %d, want 429", status)
	}
	close(release)
	s.waitFor(func() bool {
		status, _ := s.get("hello", "/")
		return status == 200
	}, "a place in the account")
}

// Whoever observes is told of calls between Functions as of others.
func TestServiceCallIsObserved(t *testing.T) {
	s := start(t, host.Limits{}, map[string][]byte{"traps": guest("", func(map[string]uint32) [][]byte { return [][]byte{hosttest.Unreachable} })})
	if _, _, err := ask(t, s.caller("traps"), host.FetchRequest{Method: "GET", URL: "http://a/b"}, ""); err == nil {
		t.Fatal("it was answered")
	}
	var all []telemetry.Failure
	for deadline := time.Now().Add(2 * time.Minute); len(all) == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		all = s.observer.Failures("local", "traps")
	}
	if len(all) != 1 || all[0].URL != "http://a/b" || all[0].Message != "unreachable" {
		t.Errorf("got %+v", all)
	}
}
