package control_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime/control"
)

// begin sends the beginning of an upload on a connection of its own.
func (f *fixture) begin(t *testing.T, fields, body string) net.Conn {
	t.Helper()
	return f.beginAt(t, scripts+"/x", fields, body)
}

func (f *fixture) beginAt(t *testing.T, path, fields, body string) net.Conn {
	t.Helper()
	return f.beginWith(t, "PUT", path, fields, body)
}

func (f *fixture) beginWith(t *testing.T, method, path, fields, body string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	fmt.Fprintf(c, "%s /client/v4%s HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer %s\r\nContent-Type: application/wasm\r\n%s\r\n\r\n%s",
		method, path, f.admin, fields, body)
	return c
}

// wantAnswer wants an answer of the API's with a status and text.
func wantAnswer(t *testing.T, c net.Conn, status int, text string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status || !strings.Contains(string(body), text) || !strings.Contains(string(body), `"success":false`) {
		t.Errorf("got %d %s, %v; want %d and %q", resp.StatusCode, body, err, status, text)
	}
}

// An upload that does not arrive gives up its account's place when its time is
// over, or its client leaves.
func TestStalledUploads(t *testing.T) {
	f := newFixture(t, options{uploadTime: 300 * time.Millisecond, uploadWait: 5 * time.Minute})
	part := guest(1)[:10]
	for name, fields := range map[string]string{"length": "Content-Length: 1000", "chunks": "Transfer-Encoding: chunked", "nothing": "Content-Length: 5"} {
		t.Run(name, func(t *testing.T) {
			body := map[string]string{"length": part, "chunks": "a\r\n" + part + "\r\n"}[name]
			first, second := f.begin(t, fields, body), f.begin(t, fields, body) // all that one account may have
			f.ok(t, upload(t, "local", "x", `{"main_module":"main.wasm"}`, guest(1)), nil)
			wantAnswer(t, first, 408, "did not arrive in time")
			wantAnswer(t, second, 408, "did not arrive in time")
		})
	}
}

// Uploads of which the client leaves do no harm.
func TestAbandonedUploads(t *testing.T) {
	f := newFixture(t, options{uploadWait: 5 * time.Minute})
	for i := range 20 {
		c := f.begin(t, "Content-Length: 1000", guest(1)[:10+i])
		if i%2 == 0 {
			c.(*net.TCPConn).SetLinger(0)
		}
		c.Close()
	}
	f.ok(t, upload(t, "local", "x", `{"main_module":"main.wasm"}`, guest(1)), nil)
}

// What is too large is refused before it was sent, and what nobody can tell the
// length of as soon as it is.
func TestTooLargeToSend(t *testing.T) {
	f := newFixture(t, options{maxModule: 1000})
	wantAnswer(t, f.begin(t, "Content-Length: 9223372036854775807", ""), 413, "which is the limit")
	wantAnswer(t, f.begin(t, "Content-Length: 1001", ""), 413, "which is the limit")
	wantAnswer(t, f.begin(t, "Transfer-Encoding: chunked", "3e9\r\n"+strings.Repeat("x", 1001)), 413, "which is the limit")
	wantAnswer(t, f.begin(t, "Transfer-Encoding: chunked", "xyz\r\n"), 400, "read body")
}

// Bodies of which an account has not sent all yet leave half of the memory for them
// to others; who finds none is told so, and finds it when those end.
func TestUploadMemory(t *testing.T) {
	f := newFixture(t, options{uploadTime: time.Hour, uploadWait: 50 * time.Millisecond})
	f.account(t, "other")
	value := f.namespace(t, "local") + "/values/k"
	const large = "Content-Length: 26000000\r\nExpect: 100-continue"
	stalled := make([]net.Conn, 4)
	for i := range stalled { // 100 MiB are for one account
		stalled[i] = f.beginAt(t, value, large, "")
		wantContinue(t, stalled[i]) // it has its room
	}
	for range 2 {
		resp, err := http.ReadResponse(bufio.NewReader(f.beginAt(t, value, large, "")), nil)
		if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("got %+v, %v; want 503 and when to try again", resp, err)
		}
	}
	f.ok(t, call{method: "PUT", path: value, body: "short"}, nil)
	f.ok(t, call{method: "PUT", path: f.namespace(t, "other") + "/values/k", body: strings.Repeat("x", 1<<20)}, nil)
	for _, c := range stalled {
		c.Close()
	}
	for deadline := time.Now().Add(5 * time.Minute); f.do(t, call{method: "PUT", path: value, body: strings.Repeat("x", 20<<20)}).status != 200; {
		if time.Now().After(deadline) {
			t.Fatal("no room after the others are gone")
		}
	}
}

// Payloads count as well.
func TestInvokeMemory(t *testing.T) {
	f := newFixture(t, options{uploadTime: time.Hour, uploadWait: 50 * time.Millisecond, invoke: new(control.Invokes)})
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm"}`, guest(1)), nil)
	const large = "Content-Length: 10485760\r\nExpect: 100-continue"
	for range 10 { // 100 MiB are for one account
		wantContinue(t, f.beginWith(t, "POST", scripts+"/hello/invoke", large, ""))
	}
	wantAnswer(t, f.beginWith(t, "POST", scripts+"/hello/invoke", large, ""), 503, "try again in a moment")
}

// Uploads of all accounts together are bounded in number.
func TestUploadsOfNode(t *testing.T) {
	f := newFixture(t, options{uploadTime: time.Hour, uploadWait: 50 * time.Millisecond})
	for i := range 9 {
		account := fmt.Sprintf("a%d", i)
		f.account(t, account)
		for range 2 {
			c := f.beginAt(t, "/accounts/"+account+"/workers/scripts/x", "Content-Length: 1000\r\nExpect: 100-continue", "")
			if i == 8 {
				wantAnswer(t, c, 503, "try again in a moment")
				continue
			}
			wantContinue(t, c) // it has its place
		}
	}
}

// wantContinue waits until the body is asked for.
func wantContinue(t *testing.T, c net.Conn) {
	t.Helper()
	const want = "HTTP/1.1 100 Continue\r\n\r\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

// slowStore takes longer for a value than bodies may.
type slowStore struct{ kv.Store }

func (s slowStore) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	if strings.HasSuffix(key, "/slow") {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(400 * time.Millisecond):
		}
	}
	return s.Store.Put(ctx, key, value, opts)
}

// What is done with a body that came in time, or without one, may take longer.
func TestTimeIsOfBodies(t *testing.T) {
	store := memkv.New(memkv.Config{Now: func() time.Time { return epoch }})
	t.Cleanup(func() { store.Close() })
	f := newFixture(t, options{store: slowStore{store}, uploadTime: 100 * time.Millisecond})
	values := f.namespace(t, "local") + "/values/"
	for _, body := range []string{"text", ""} {
		f.ok(t, call{method: "PUT", path: values + "slow", body: body}, nil)
	}
}
