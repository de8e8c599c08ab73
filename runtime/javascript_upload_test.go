package runtime_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
)

// uploads are Workers that pass their request's body on, and what comes of it.
var uploads = []struct {
	name, body string
	size       int64 // that the upstream is told of a body of uploadSize bytes; -1 for none, unasked where it must not be asked
	want       string
}{
	{"the request", `return fetch(new Request("https://up.example/echo", request));`, uploadSize, "echo"},
	{"the body", `return fetch("https://up.example/echo", { method: "POST", body: request.body });`, uploadSize, "echo"},
	{"through JavaScript", `return fetch("https://up.example/echo", { method: "POST", body: request.body.pipeThrough(new TransformStream()) });`, -1, "echo"},
	{"a response's", `const first = await fetch("https://up.example/echo", { method: "POST", body: request.body });
    return fetch("https://up.example/echo", { method: "PUT", body: first.body });`, -1, "echo"},
	{"to who reads nothing", `const r = await fetch("https://up.example/ignore", { method: "POST", body: request.body }); return new Response(await r.text());`, uploadSize, "ignored"},
	{"to who reads nothing of a stream", `const r = await fetch("https://up.example/ignore", { method: "POST", body: request.body.pipeThrough(new TransformStream()) });
    return new Response(await r.text());`, -1, "ignored"},
	{"redirected with a body", `return fetch("https://up.example/307", { method: "POST", body: request.body }).catch(e => new Response(e.name + e.message.includes("can't be sent again")));`, uploadSize, "TypeErrortrue"},
	{"redirected without", `const r = await fetch("https://up.example/303", { method: "POST", body: request.body }); return new Response(await r.text());`, 0, "no body"},
	{"a stream that fails", `const failing = new ReadableStream({ start(c) { c.enqueue(new Uint8Array(5)); }, pull() { throw new RangeError("broken"); } });
    return fetch("https://up.example/all", { method: "POST", body: failing }).catch(e => new Response(String(e)));`, perhaps, "RangeError: broken"},
	{"a stream to who reads all", `const parts = new ReadableStream({ start(c) { c.enqueue(new Uint8Array(5)); c.enqueue(new Uint8Array()); c.enqueue(new Uint8Array(7)); c.close(); } });
    return fetch("https://up.example/all", { method: "POST", body: parts });`, -1, "12"},
	{"no bytes", `const numbers = new ReadableStream({ start(c) { c.enqueue(5); c.close(); } });
    return fetch("https://up.example/all", { method: "POST", body: numbers }).catch(e => new Response(e.name));`, perhaps, "TypeError"},
	{"an aborted upload", `const c = new AbortController(); setTimeout(() => c.abort(), 1);
    return fetch("https://up.example/wait", { method: "POST", body: new ReadableStream({}), signal: c.signal }).catch(e => new Response(e.name));`, perhaps, "AbortError"},
	{"a used body", `await request.body.cancel(); return fetch(request).catch(e => new Response(e.name));`, unasked, "TypeError"},
	{"a body that is being read", `const reader = request.body.getReader(); return fetch("https://up.example/echo", { method: "POST", body: request.body }).catch(e => new Response(e.name));`, unasked, "TypeError"},
}

const (
	uploadSize = 8 << 20
	unasked    = -2
	perhaps    = -3 // it is asked, or not any more
)

// A body is passed on while it comes, and is at no time held as a whole.
func TestUploadsAreStreamed(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	for _, tt := range uploads {
		t.Run(tt.name, func(t *testing.T) {
			s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(tt.body))), host.Limits{})
			told := int64(unasked)
			got := result{Recorder: new(hosttest.Recorder)}
			c := begin(t, got.Recorder, "/", host.Limits{Held: 1 << 20})
			c.Services.Fetcher = hosttest.Fetcher(func(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
				told = req.BodySize
				return answerUpload(ctx, req)
			})
			body := io.LimitReader(new(letters), uploadSize)
			c.Request = hosttest.Request("POST", "http://test.localhost/", "", "content-length", strconv.Itoa(uploadSize))
			c.Request.Body = body
			s.Use()
			got.invoke(s, c)
			want := tt.want
			if want == "echo" {
				want = digest(io.LimitReader(new(letters), uploadSize))
				got.Body = []byte(digest(strings.NewReader(string(got.Body))))
			}
			if got.outcome != host.OutcomeOK || string(got.Body) != want || told != tt.size && tt.size != perhaps {
				t.Errorf("got %v, %v, %.100q, want %.100q; the upstream was told of %d bytes, want %d", got.outcome, got.err, got.Body, want, told, tt.size)
			}
		})
	}
}

// answerUpload answers by the path.
func answerUpload(ctx context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	answer := func(status int, body io.Reader, headers host.Headers) (*host.FetchResponse, error) {
		return &host.FetchResponse{Status: status, Headers: headers, Body: io.NopCloser(body)}, nil
	}
	switch path := req.URL[strings.LastIndex(req.URL, "/"):]; {
	case path == "/ignore":
		return answer(200, strings.NewReader("ignored"), nil)
	case path == "/wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case path == "/307", path == "/303":
		status, _ := strconv.Atoi(path[1:])
		return answer(status, strings.NewReader(""), host.Headers{}.Add("location", "/echo"))
	case req.Body == nil:
		return answer(200, strings.NewReader("no body"), nil)
	}
	if strings.HasSuffix(req.URL, "/all") {
		n, err := io.Copy(io.Discard, req.Body)
		if err != nil {
			return nil, err
		}
		return answer(200, strings.NewReader(strconv.FormatInt(n, 10)), nil)
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(req.Body, first); err != nil {
		return nil, err
	}
	return answer(200, io.MultiReader(strings.NewReader(string(first)), req.Body), nil)
}

// letters are endless, and so many have been read.
type letters int

func (l *letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a' + byte((int(*l)+i)%23)
	}
	*l += letters(len(p))
	return len(p), nil
}

func digest(r io.Reader) string {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return fmt.Sprintf("%d bytes, %x, %v", n, h.Sum(nil), err)
}
