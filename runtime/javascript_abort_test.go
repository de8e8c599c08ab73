package runtime_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
)

// aborts are Workers that abort a fetch, and what comes of it and of the fetch after it,
// which takes the numbers of the handles that the first has closed.
var aborts = []struct{ name, body, want string }{
	{"after the body was read, before another's", `await (await begin("/text")).text();
    const second = await fetch("https://up.example/text");
    c.abort();
    return new Response(await second.text());`, "text"},
	{"after the body was read, before another response", `await (await begin("/text")).text();
    const second = fetch("https://up.example/text");
    c.abort();
    return new Response(await (await second).text());`, "text"},
	{"after the body was read as a stream", `for await (const chunk of (await begin("/text")).body) chunk;
    const second = await fetch("https://up.example/text");
    c.abort();
    return new Response(await second.text());`, "text"},
	{"after the body was canceled", `await (await begin("/text")).body.cancel();
    const second = await fetch("https://up.example/text");
    c.abort();
    return new Response(await second.text());`, "text"},
	{"while the body is read", `const reading = (await begin("/endless")).text().catch(e => e.name);
    c.abort();
    const second = await fetch("https://up.example/text");
    return new Response(await reading + " " + await second.text());`, "AbortError text"},
	{"while the body is read as a stream", `const reading = (await begin("/endless")).body.getReader().read().catch(e => e.message);
    c.abort(new RangeError("enough"));
    const second = await fetch("https://up.example/text");
    return new Response(await reading + " " + await second.text());`, "enough text"},
	{"before the body is read", `const response = await begin("/text");
    c.abort();
    const second = await fetch("https://up.example/text");
    return new Response(await response.text().catch(e => e.name) + " " + await second.text());`, "AbortError text"},
	{"before the response", `const failed = begin("/text").catch(e => e.name);
    c.abort();
    const second = fetch("https://up.example/text");
    return new Response(await failed + " " + await (await second).text());`, "AbortError text"},
	{"by a body that fails after the response", `let fail;
    const body = new ReadableStream({ start(controller) { fail = () => controller.error(new RangeError("late")); } });
    await (await fetch("https://up.example/text", { method: "POST", body })).text();
    const second = fetch("https://up.example/text");
    fail();
    return new Response(await (await second).text());`, "text"},
}

// What aborts a fetch leaves all others alone.
func TestAbortedFetches(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	for _, tt := range aborts {
		t.Run(tt.name, func(t *testing.T) {
			body := `const c = new AbortController();
    const begin = path => fetch("https://up.example" + path, { signal: c.signal });
    ` + tt.body
			s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(body))), host.Limits{})
			got := result{Recorder: new(hosttest.Recorder)}
			c := begin(t, got.Recorder, "/", host.Limits{})
			c.Services.Fetcher = hosttest.Fetcher(answerOrGoOn)
			s.Use()
			got.invoke(s, c)
			if got.outcome != host.OutcomeOK || string(got.Body) != tt.want {
				t.Errorf("got %v, %v, %q, want %q", got.outcome, got.err, got.Body, tt.want)
			}
		})
	}
}

// answerOrGoOn answers with a text, or with a body that ends when it is closed.
func answerOrGoOn(_ context.Context, req *host.FetchRequest) (*host.FetchResponse, error) {
	body := io.NopCloser(strings.NewReader("text"))
	if strings.HasSuffix(req.URL, "/endless") {
		body, _ = io.Pipe()
	}
	return &host.FetchResponse{Status: 200, Body: body}, nil
}
