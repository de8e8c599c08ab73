package wagi_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/wagi"
)

// program is testdata/program, compiled once for all tests.
var program = sync.OnceValues(func() (*hosttest.Guest, error) { return build("testdata/program") })

func build(dir string) (*hosttest.Guest, error) {
	wasm, err := hosttest.BuildGo(dir)
	if err != nil {
		return nil, err
	}
	return hosttest.Load(wagi.New(), wasm)
}

// get asks the program for a path.
func get(t *testing.T, path string, headers ...string) hosttest.Result {
	t.Helper()
	return invoke(t, hosttest.Invocation{Request: hosttest.Request("GET", "https://fn.example.com"+path, "", headers...)})
}

func invoke(t *testing.T, inv hosttest.Invocation) hosttest.Result {
	t.Helper()
	g, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return g.Invoke(t, inv)
}

func TestMatch(t *testing.T) {
	start := abi.Signature{Name: "_start"}
	for _, c := range []struct {
		name  string
		shape abi.Shape
		match bool
		err   string
	}{
		{"command", abi.Shape{Exports: []abi.Signature{start}, Memory: true}, true, ""},
		{"no imports, no memory", abi.Shape{Exports: []abi.Signature{start}}, true, ""},
		{"reactor", abi.Shape{Exports: []abi.Signature{{Name: "_initialize"}}, Memory: true}, false, ""},
		{"native", abi.Shape{Exports: []abi.Signature{start}, Imports: []abi.Signature{{Module: "mayfly", Name: "respond"}}}, false, ""},
		{"later native", abi.Shape{Exports: []abi.Signature{start}, Imports: []abi.Signature{{Module: "mayfly@2", Name: "respond"}}}, false, ""},
		{"parameters", abi.Shape{Exports: []abi.Signature{{Name: "_start", Params: []byte{abi.I32}}}, Memory: true}, true,
			`export "_start" must have no parameters and no results`},
		{"hidden memory", abi.Shape{Exports: []abi.Signature{start}, Imports: []abi.Signature{{Module: "wasi_snapshot_preview1", Name: "fd_write"}}}, true,
			`module does not export its memory as "memory"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, match, err := wagi.New().Match(&c.shape)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if match != c.match || text != c.err {
				t.Errorf("got %v, %q, want %v, %q", match, text, c.match, c.err)
			}
			if match && plan != (abi.Plan{Entry: "_start", Scheduled: "_start", Queue: "_start", KV: "_start", Once: true}) {
				t.Errorf("plan %+v", plan)
			}
		})
	}
}

func TestHello(t *testing.T) {
	got := get(t, "/hello")
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	if got.Status != 200 || got.Header("content-type") != "text/plain; charset=utf-8" || string(got.Body) != "hello, world\n" {
		t.Errorf("got %d, %q, %q", got.Status, got.Header("content-type"), got.Body)
	}
	if got.Usage.BytesOut != 13 {
		t.Errorf("%d bytes out, want 13", got.Usage.BytesOut)
	}
}

// The answer to HEAD is the whole one; whoever sends it leaves out the body.
func TestHead(t *testing.T) {
	got := invoke(t, hosttest.Invocation{Request: hosttest.Request("HEAD", "https://fn.example.com/hello", "")})
	if got.Err != nil || got.Status != 200 || string(got.Body) != "hello, world\n" {
		t.Errorf("got %d, %q, %v", got.Status, got.Body, got.Err)
	}
}

func TestEcho(t *testing.T) {
	body := strings.Repeat("all bytes \x00\xff\r\n", 10_000)
	got := invoke(t, hosttest.Invocation{Request: hosttest.Request("POST", "https://fn.example.com/echo", body,
		"content-type", "application/x-thing", "content-length", "130000")})
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	if got.Status != 201 || got.Header("content-type") != "application/x-thing" || got.Header("x-length") != "130000" {
		t.Errorf("got %d with %q", got.Status, got.Headers)
	}
	if string(got.Body) != body {
		t.Errorf("the body of %d bytes came back as %d bytes", len(body), len(got.Body))
	}
	if got.Usage.BytesIn != int64(len(body)) || got.Usage.BytesOut != int64(len(body)) {
		t.Errorf("usage %+v, want %d bytes both ways", got.Usage, len(body))
	}
}

// The environment as the program finds it; the rules are in TestEnviron.
func TestEnvironArrives(t *testing.T) {
	req := hosttest.Request("GET", "https://fn.example.com/env?a=b", "", "accept", "*/*")
	req.Client = netip.MustParseAddr("2001:db8::1")
	got := invoke(t, hosttest.Invocation{Request: req, Bindings: &host.Bindings{
		Function: "shop", Env: map[string]host.EnvValue{"KEY": {Value: "séc=ret", Secret: true}}}})
	lines := strings.Split(string(got.Body), "\n")
	if lines[0] != `["shop"]` {
		t.Errorf("arguments %s, want the Function's name alone", lines[0])
	}
	for _, want := range []string{"QUERY_STRING=a=b", "HTTP_ACCEPT=*/*", "KEY=séc=ret", "REMOTE_ADDR=2001:db8::1"} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is missing in %q", want, lines)
		}
	}
}

func TestExit(t *testing.T) {
	for _, c := range []struct {
		code, output string
		status       int
		body         string
		err, log     string
	}{
		{"0", "yes", 200, "yes", "", ""},
		{"0", "", 0, "", "the program ended without an answer: it must write one to standard output", ""},
		{"3", "", 0, "", "the program wrote no answer and exited with code 3", ""},
		{"3", "no", 200, "no", "", "the program exited with code 3; its answer is sent all the same"},
	} {
		got := get(t, "/exit?"+c.code, "x-output", c.output)
		if got.Status != c.status || string(got.Body) != c.body || text(got.Err) != c.err {
			t.Errorf("exit %s after %q: %d, %q, %q, want %d, %q, %q", c.code, c.output,
				got.Status, got.Body, text(got.Err), c.status, c.body, c.err)
		}
		if want := entries(host.LogWarn, c.log); !slices.Equal(got.Log, want) {
			t.Errorf("exit %s after %q: log %v, want %v", c.code, c.output, got.Log, want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// entries are log entries of one level; an empty text is none.
func entries(level host.LogLevel, texts ...string) (list []hosttest.LogEntry) {
	for _, text := range texts {
		if text != "" {
			list = append(list, hosttest.LogEntry{Level: level, Text: text})
		}
	}
	return list
}

// A Go program ends a panic with exit code 2, its message on stderr.
func TestPanic(t *testing.T) {
	for _, path := range []string{"/panic", "/trap"} {
		got := get(t, path)
		if got.Err != nil || string(got.Body) != "half an answer\n" {
			t.Errorf("%s: got %q, %v, want what was written", path, got.Body, got.Err)
		}
		if len(got.Log) < 2 || !strings.HasPrefix(got.Log[0].Text, "panic: ") || got.Log[0].Level != host.LogError {
			t.Errorf("%s: log %v, want the panic", path, got.Log)
		}
		if last := got.Log[len(got.Log)-1]; last.Level != host.LogWarn || !strings.Contains(last.Text, "code 2") {
			t.Errorf("%s: last in the log is %v, want a warning", path, last)
		}
	}
}

func TestLog(t *testing.T) {
	got := get(t, "/stderr")
	if want := entries(host.LogError, "one 2", "three", "four"); !slices.Equal(got.Log, want) {
		t.Errorf("log %v, want %v", got.Log, want)
	}
	if string(got.Body) != "done\n" {
		t.Errorf("got %q", got.Body)
	}
}

func TestLarge(t *testing.T) {
	limits := host.Limits{Response: 1 << 20}
	for _, c := range []struct {
		name, size string
		body       int
		log        []hosttest.LogEntry
		err        host.Code
	}{
		{"at the limit", "1048576", 1 << 20, nil, 0},
		{"beyond it", "1048577", 0, entries(host.LogError, "too big"), host.CodeTooLarge},
		{"far beyond it", "99999999", 0, entries(host.LogError, "too big"), host.CodeTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := invoke(t, hosttest.Invocation{Limits: limits,
				Request: hosttest.Request("GET", "https://fn.example.com/large?"+c.size, "")})
			if len(got.Body) != c.body || !slices.Equal(got.Log, c.log) {
				t.Errorf("got %d bytes, log %v, want %d, %v", len(got.Body), got.Log, c.body, c.log)
			}
			if (got.Err != nil) != (c.err != 0) || c.err != 0 && host.CodeOf(got.Err) != c.err {
				t.Errorf("got %v, want code %v", got.Err, c.err)
			}
		})
	}
}

// What a program closes is open again in the next Invocation.
func TestClose(t *testing.T) {
	got := get(t, "/close")
	if string(got.Body) != "closed after this\n" || len(got.Log) != 1 || !strings.Contains(got.Log[0].Text, "closed") {
		t.Errorf("got %q, log %v", got.Body, got.Log)
	}
	if got := get(t, "/hello"); string(got.Body) != "hello, world\n" {
		t.Errorf("then got %q, %v", got.Body, got.Err)
	}
}

func TestFiles(t *testing.T) {
	if got := get(t, "/files"); string(got.Body) != "true true\n" {
		t.Errorf("got %q, %v, want an error for each", got.Body, got.Err)
	}
}

func TestSleep(t *testing.T) {
	if got := get(t, "/sleep"); string(got.Body) != "true\n" {
		t.Errorf("got %q, %v", got.Body, got.Err)
	}
}

// A program that is stopped has no answer.
func TestStopped(t *testing.T) {
	got := invoke(t, hosttest.Invocation{Limits: host.Limits{Wall: 50 * time.Millisecond},
		Request: hosttest.Request("GET", "https://fn.example.com/spin", "")})
	if got.Err == nil || got.Answers != 0 {
		t.Errorf("got %v and %d answers", got.Err, got.Answers)
	}
	if _, exited := errors.AsType[abi.Exit](got.Err); exited {
		t.Errorf("got %v, want no exit of the program's own", got.Err)
	}
}

// An instance's second Invocation has input, output and environment of its own.
func TestSameInstance(t *testing.T) {
	i := hosttest.MustLoad(t, wagi.New(), copier()).Instantiate(t)
	for _, body := range []string{"Status: 404\n\none", "two"} {
		got := i.Invoke(t, hosttest.Invocation{Request: hosttest.Request("PUT", "http://localhost/", body)})
		_, want, found := strings.Cut(body, "\n\n")
		if !found {
			want = body
		}
		if got.Err != nil || string(got.Body) != want {
			t.Errorf("got %q, %v, want %q", got.Body, got.Err, want)
		}
	}
}

// copier writes what one read gives it, closes its output, and exits with code 0.
func copier() []byte {
	var m hosttest.Module
	f := m.ImportAll(wagi.New().Modules()...)
	m.Memory(1)
	m.Func("_start", nil, nil, nil,
		hosttest.I32Const(8), hosttest.I32Const(64), hosttest.I32Store(0), // an iovec at 8: 100 bytes at 64
		hosttest.I32Const(8), hosttest.I32Const(100), hosttest.I32Store(4),
		hosttest.I32Const(0), hosttest.I32Const(8), hosttest.I32Const(1), hosttest.I32Const(12), // the length is what was read
		hosttest.Call(f["fd_read"]), hosttest.Drop,
		hosttest.I32Const(1), hosttest.I32Const(8), hosttest.I32Const(1), hosttest.I32Const(16),
		hosttest.Call(f["fd_write"]), hosttest.Drop,
		hosttest.I32Const(1), hosttest.Call(f["fd_close"]), hosttest.Drop,
		hosttest.I32Const(0), hosttest.Call(f["proc_exit"]))
	return m.Bytes()
}

// The standard library's CGI server answers through us.
func TestNetHTTP(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles net/http, which takes a minute under the race detector")
	}
	g, err := build("testdata/nethttp")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	req := hosttest.Request("POST", "https://fn.example.com:8443/things/a%20b?q=1", "payload", "x-test", "yes", "content-length", "7")
	req.Client = netip.MustParseAddr("192.0.2.7")
	got := g.Invoke(t, hosttest.Invocation{Request: req})
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	const want = "a b fn.example.com:8443 https://fn.example.com:8443/things/a%20b?q=1 yes payload"
	if got.Status != 202 || string(got.Body) != want {
		t.Errorf("got %d, %q, want 202, %q", got.Status, got.Body, want)
	}
	if client := got.Header("x-client"); !strings.HasPrefix(client, "192.0.2.7") {
		t.Errorf("client is %q", client)
	}
}
