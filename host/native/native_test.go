package native_test

import (
	"errors"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
)

// Results of failures.
const (
	invalid     = -1
	badHandle   = -2
	notFound    = -3
	conflict    = -4
	denied      = -5
	limit       = -6
	tooLarge    = -7
	timeout     = -8
	unavailable = -9
	state       = -10
	canceled    = -11
	internal    = -13
)

// page is the size of the guest's memory.
const page = 65536

// own are the functions of this ABI without those of WASI.
func own() *abi.Module { return native.New().Modules()[0] }

// guest is a Player of this ABI.
type guest struct {
	*hosttest.Player
	t    testing.TB
	next uint32     // where puts goes on
	self *abi.Guest // of capture
}

func newGuest(t testing.TB, inv hosttest.Invocation) *guest {
	t.Helper()
	self := new(abi.Guest)
	return &guest{hosttest.NewPlayer(t, inv, own(), capturing(self)), t, scratch, self}
}

// scratch is where the part of the memory begins that puts fills, over and over.
const scratch, scratchEnd = 4096, 16384

// everything is an Invocation with something behind each function.
func everything(t testing.TB) hosttest.Invocation {
	services := hosttest.Services(t)
	services.Fetcher = answering("upstream's body")
	request := hosttest.Request("POST", "https://example.com/path", "the request's body", "accept", "*/*", "cookie", "a")
	request.Client = netip.MustParseAddr("2001:db8::1")
	return hosttest.Invocation{
		Services: services,
		Request:  request,
		Bindings: &host.Bindings{
			Account: "local", Function: "test", Version: "1",
			Env: map[string]host.EnvValue{"NAME": {Value: "value"}, "A_SECRET": {Value: "s", Secret: true}},
			KV:  map[string]kv.Store{"STORE": memkv.New(memkv.Config{Now: services.Now})},

			Queues:     map[string]host.QueueProducer{"JOBS": new(hosttest.Queue)},
			RateLimits: map[string]host.RateLimiter{"LIMITER": &countdown{left: 1 << 30}},

			Fetchers: map[string]host.Fetcher{"AUTH": answering("another Function's body")},
		},
	}
}

// puts writes texts into the guest's memory and returns them as parameters:
// pointer, length, and so on.
func (g *guest) puts(texts ...string) (args []int64) {
	for _, s := range texts {
		if g.next+uint32(len(s)) > scratchEnd {
			g.next = scratch
		}
		g.Put(g.next, s)
		args = append(args, int64(g.next), int64(len(s)))
		g.next += uint32(len(s)) + 1
	}
	return args
}

// with joins parameters.
func with(parts ...any) (args []int64) {
	for _, p := range parts {
		switch p := p.(type) {
		case int64:
			args = append(args, p)
		case int:
			args = append(args, int64(p))
		case []int64:
			args = append(args, p...)
		default:
			panic("with takes int, int64 and []int64")
		}
	}
	return args
}

// wantEnd calls a function during which the Invocation ends. It tells the guest,
// whether or not the engine lets the guest know.
func (g *guest) wantEnd(code host.Code, name string, args ...int64) {
	g.t.Helper()
	got, err := g.Try(name, args...)
	if err == nil && got != -int64(code) {
		g.t.Errorf("%s%v returned %d, want %d", name, args, got, -code)
	}
	if e := g.Call.LastError; e == nil || e.Code != code {
		g.t.Errorf("%s%v: last error is %v, want one with code %d", name, args, e, code)
	}
}

// wantError checks the text behind the newest failure.
func wantError(t testing.TB, g *guest, part string) {
	t.Helper()
	n := g.Must("last_error", 60000, 1000)
	if got := string(g.Bytes(60000, uint32(n))); !strings.Contains(got, part) {
		t.Errorf("last error is %q, want it to say %q", got, part)
	}
}

// described are the signatures in ABI.md: name(parameters) -> result, where what
// has no type is an i32.
var described = regexp.MustCompile("`([a-z_]+)\\(([^)`]*)\\)\\s*->\\s*(i32|i64)`")

func TestSpecification(t *testing.T) {
	text, err := os.ReadFile("ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	specified := make(map[string]bool)
	for _, m := range described.FindAllStringSubmatch(string(text), -1) {
		name := m[1]
		specified[name] = true
		f, ok := own().Find(name)
		if !ok {
			t.Errorf("ABI.md describes %s, which is not there", name)
			continue
		}
		if got, want := signature(f.Params, f.Results), specifiedSignature(m[2], m[3]); got != want {
			t.Errorf("%s is %s, ABI.md says %s", name, got, want)
		}
	}
	for _, f := range own().Funcs {
		if !specified[f.Name] {
			t.Errorf("%s is not in ABI.md", f.Name)
		}
	}
}

func specifiedSignature(params, result string) string {
	var types []string
	for p := range strings.SplitSeq(params, ",") {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		_, typ, typed := strings.Cut(p, ": ")
		if !typed {
			typ = "i32"
		}
		types = append(types, typ)
	}
	return strings.Join(types, " ") + ":" + result
}

func signature(params, results []abi.Type) string {
	var types []string
	for _, p := range params {
		types = append(types, abi.TypeName(p))
	}
	return strings.Join(types, " ") + ":" + abi.TypeName(results[0])
}

// Every range that a function is given must lie in memory.
func TestFault(t *testing.T) {
	g := newGuest(t, everything(t))
	ns := g.Must("kv_open", g.puts("STORE")...)
	put := g.Must("kv_put", with(ns, g.puts("key", "value", ""), 0, 0, 0)...)
	g.Want(0, "kv_status", put)
	get := g.Must("kv_get", with(ns, g.puts("key"))...)
	list := g.Must("kv_list", with(ns, g.puts("", ""), 1)...)
	op := g.Must("fetch_send", g.puts("GET", "http://example.com/", "", "")...)
	body := g.Must("request_body")
	upload := g.Must("fetch_request_body", g.Must("fetch_stream", g.puts("PUT", "http://example.com/", "")...))
	for _, tt := range []struct {
		name   string
		ranges []int // where a pointer is; its length follows
		args   []int64
	}{
		{"request_method", []int{0}, with(0, 0)},
		{"request_url", []int{0}, with(0, 0)},
		{"request_client", []int{0}, with(0, 0)},
		{"request_headers", []int{0}, with(0, 0)},
		{"request_header", []int{0, 2}, g.puts("accept", "")},
		{"body_read", []int{1}, with(body, 0, 0)},
		{"body_write", []int{1}, with(upload, 0, 0)},
		{"respond", []int{1, 3}, with(200, 0, 0, 0, 0)},
		{"respond_stream", []int{1}, with(200, 0, 0)},
		{"fetch_send", []int{0, 2, 4, 6}, g.puts("GET", "http://example.com/", "", "")},
		{"fetch_stream", []int{0, 2, 4}, g.puts("GET", "http://example.com/", "")},
		{"fetch_headers", []int{1}, with(op, 0, 0)},
		{"kv_open", []int{0}, with(0, 0)},
		{"kv_get", []int{1}, with(ns, 0, 0)},
		{"kv_put", []int{1, 3, 5}, with(ns, g.puts("key", "value", "{}"), 0, 0, 0)},
		{"kv_delete", []int{1}, with(ns, 0, 0, 0, 0)},
		{"kv_list", []int{1, 3}, with(ns, 0, 0, 0, 0, 10)},
		{"kv_value", []int{1}, with(get, 0, 0)},
		{"kv_metadata", []int{1}, with(get, 0, 0)},
		{"kv_page", []int{1}, with(list, 0, 0)},
		{"kv_cursor", []int{1}, with(list, 0, 0)},
		{"last_error", []int{0}, with(0, 0)},
		{"env_get", []int{0, 2}, g.puts("NAME", "")},
		{"env_names", []int{0}, with(0, 0)},
		{"log", []int{1}, with(0, 0, 0)},
		{"random", []int{0}, with(0, 0)},
	} {
		for _, at := range tt.ranges {
			for _, r := range [][2]int64{{page, 1}, {page - 4, 5}, {-1, 1}, {0, page + 1}, {-1, -1}, {16, -1}} {
				args := append([]int64(nil), tt.args...)
				args[at], args[at+1] = r[0], r[1]
				_, err := g.Try(tt.name, args...)
				want := abi.Fault{Offset: uint64(uint32(r[0])), Length: uint64(uint32(r[1]))}
				if !errors.Is(err, want) {
					t.Errorf("%s%v: got %v, want a fault", tt.name, args, err)
				}
			}
		}
	}
	if _, err := g.Try("wait", page-4, 2, 0); !errors.Is(err, abi.Fault{Offset: page - 4, Length: 8}) {
		t.Errorf("wait: got %v, want a fault", err)
	}
	g.Want(state, "wait_until") // nothing was answered
	if got := g.End(); got.Answers != 0 || got.Usage.Subrequests != 2 || got.Usage.KVOperations != 3 {
		t.Errorf("%d answers, %+v after nothing but faults", got.Answers, got.Usage)
	}
}

// A buffer takes all of a value or nothing.
func TestBuffers(t *testing.T) {
	g := newGuest(t, everything(t))
	ns := g.Must("kv_open", g.puts("STORE")...)
	for _, key := range []string{"a", "b"} {
		put := g.Must("kv_put", with(ns, g.puts(key, "value of "+key, `{"m":1}`), 0, 0, 0)...)
		g.Want(0, "kv_status", put)
	}
	get := g.Must("kv_get", with(ns, g.puts("a"))...)
	list := g.Must("kv_list", with(ns, g.puts("", ""), 1)...)
	op := g.Must("fetch_send", g.puts("GET", "http://example.com/", "", "")...)
	cursor := g.Must("kv_cursor", list, 0, 0)
	g.Must("kv_cursor", list, 30000, cursor)
	g.Want(badHandle, "close", 99)
	for _, tt := range []struct {
		name string
		args []int64
		want string
	}{
		{"request_method", nil, "POST"},
		{"request_url", nil, "https://example.com/path"},
		{"request_client", nil, "2001:db8::1"},
		{"request_headers", nil, "accept\x00*/*\x00cookie\x00a\x00"},
		{"request_header", g.puts("ACCEPT"), "*/*"},
		{"env_get", g.puts("NAME"), "value"},
		{"env_names", nil, "A_SECRET\x00NAME\x00"},
		{"fetch_headers", with(op), "server\x00test\x00"},
		{"kv_value", with(get), "value of a"},
		{"kv_metadata", with(get), `{"m":1}`},
		{"kv_page", with(list), "\x01\x00\x00\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 8) + `a{"m":1}`},
		{"kv_cursor", with(list), string(g.Bytes(30000, uint32(cursor)))},
		{"last_error", nil, "99 is not an open handle of the kind wanted here"},
	} {
		t.Run(tt.name, func(t *testing.T) { checkBuffer(t, g, tt.name, tt.args, tt.want) })
	}
}

func checkBuffer(t *testing.T, g *guest, name string, args []int64, want string) {
	const buf = 20000
	n := int64(len(want))
	for _, size := range []int64{0, 1, n - 1} {
		g.Want(n, name, with(args, buf, size)...)
		g.WantMemory(buf, strings.Repeat("?", len(want)))
	}
	g.Want(n, name, with(args, -1, 0)...) // no bytes at all lie anywhere
	for _, size := range []int64{n, n + 1, page - buf} {
		g.Put(buf-1, strings.Repeat("?", len(want)+2))
		g.Want(n, name, with(args, buf, size)...)
		g.WantMemory(buf, want)
	}
	g.Want(n, name, with(args, page-n, n)...) // up to the end of memory
	if _, err := g.Try(name, with(args, page-n, n+1)...); !errors.Is(err, abi.Fault{Offset: uint64(page - n), Length: uint64(n + 1)}) {
		t.Errorf("got %v, want a fault", err)
	}
	if _, err := g.Try(name, with(args, page-1, n-1)...); n > 2 && !errors.Is(err, abi.Fault{Offset: page - 1, Length: uint64(n - 1)}) {
		t.Errorf("got %v for a buffer that is too small and outside, want a fault", err)
	}
	g.Put(buf-1, strings.Repeat("?", len(want)+2))
}
