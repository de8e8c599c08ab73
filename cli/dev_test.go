package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli"
	"github.com/mayfly-run/mayfly/kv/logtest"
)

// session is a mayfly dev in this process.
type session struct {
	dir, url string
	log      *logtest.Buffer
}

const prebuilt = `
main = "app.wasm"
[[kv_namespaces]]
binding = "DATA"
`

// mustDev serves a project in which app.wasm is tiny's.
func mustDev(t *testing.T, text, manifest string, args ...string) *session {
	t.Helper()
	s := &session{dir: filepath.Join(t.TempDir(), "app")}
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.mustWrite(t, "mayfly.toml", []byte(manifest))
	s.mustWrite(t, "app.wasm", tiny(text))
	p := start(append([]string{"dev", s.dir, "--port", "0"}, args...)...)
	s.log = &p.log
	t.Cleanup(func() {
		if code := p.end(); code != 0 {
			t.Errorf("dev ended with %d: %s", code, s.log)
		}
	})
	if _, err := fmt.Fscanf(p.out, "Open %s\n", &s.url); err != nil {
		t.Fatalf("read URL: %v: %s", err, s.log)
	}
	return s
}

// mustWrite replaces a file of the project at once, as good editors do.
func (s *session) mustWrite(t *testing.T, name string, data []byte) {
	t.Helper()
	draft := filepath.Join(s.dir, ".draft")
	if err := os.WriteFile(draft, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(draft, filepath.Join(s.dir, name)); err != nil {
		t.Fatal(err)
	}
}

func (s *session) mustGet(t *testing.T, accept string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// mustBecome asks until the answer is the one wanted. Before that it may only
// be one of meanwhile, with status 200.
func (s *session) mustBecome(t *testing.T, status int, want string, meanwhile ...string) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); {
		got, body := s.mustGet(t, "*/*")
		if got == status && strings.Contains(body, want) {
			return
		}
		expected := false
		for _, m := range meanwhile {
			expected = expected || strings.Contains(body, m)
		}
		if !expected {
			t.Fatalf("got %d %q on the way to %q", got, body, want)
		}
	}
	t.Fatalf("the answer never became %q: %s", want, s.log)
}

func TestDev(t *testing.T) {
	s := mustDev(t, "one", prebuilt)
	if status, body := s.mustGet(t, "*/*"); status != 200 || body != "one" {
		t.Errorf("got %d %q, want 200 %q", status, body, "one")
	}
	s.mustWrite(t, "app.wasm", tiny("two"))
	s.mustBecome(t, 200, "two", "one")

	s.mustWrite(t, "app.wasm", []byte("<nonsense>"))
	s.mustBecome(t, 500, "app could not be built:\n\nload module: the module is not valid WebAssembly", "two")
	if _, page := s.mustGet(t, "text/html,*/*"); !strings.Contains(page, "<h1>app could not be built</h1>") {
		t.Errorf("a browser gets %q", page)
	}
	s.mustWrite(t, "app.wasm", tiny("three"))
	s.mustBecome(t, 200, "three", "could not be built")

	s.mustWrite(t, "mayfly.toml", []byte("main = \"app.wasm\"\nnmae = \"x\"\n"))
	s.mustBecome(t, 500, `unknown key "nmae"`, "three")
	s.mustWrite(t, "mayfly.toml", []byte("main = \"app.wasm\"\n"))
	s.mustBecome(t, 200, "three", "could not be built")

	s.mustWrite(t, ".dev.vars", []byte("A=1\nno equals sign\n"))
	s.mustBecome(t, 500, ".dev.vars:2:1", "three")
	if got := s.log.String(); !strings.Contains(got, ".dev.vars:2:1") {
		t.Errorf("the terminal shows %q", got)
	}
}

// What .dev.vars has is a secret, unless the manifest has a variable of that name.
func TestDevSecrets(t *testing.T) {
	s := mustDev(t, "one", prebuilt)
	s.mustWrite(t, ".dev.vars", []byte("KEY=first\n"))
	s.mustWrite(t, "app.wasm", tellsSecret(false))
	s.mustBecome(t, 200, "first", "one")
	s.mustWrite(t, ".dev.vars", []byte("KEY=second\nOTHER=\n"))
	s.mustBecome(t, 200, "second", "first")
	s.mustWrite(t, "mayfly.toml", []byte("main = \"app.wasm\"\nvars = { KEY = \"x\" }\n"))
	s.mustWrite(t, ".dev.vars", []byte("KEY=third\n"))
	s.mustBecome(t, 200, "third", "second", "x")
	s.mustWrite(t, ".dev.vars", nil)
	s.mustBecome(t, 200, "x", "third")
}

// A stage has variables and secrets of its own.
func TestDevStage(t *testing.T) {
	const manifest = `
main = "app.wasm"
vars = { KEY = "top" }
[env.staging]
vars = { KEY = "${file:text:-none}-${env:MAYFLY_TEST_UNSET:-staging}" }
[env.next]
`
	t.Setenv("MAYFLY_ENV", "next") // --env goes over it
	s := mustDev(t, "one", manifest, "--env", "staging")
	s.mustWrite(t, "text", []byte("first\n"))
	s.mustWrite(t, "app.wasm", tellsSecret(false))
	s.mustBecome(t, 200, "first-staging", "one", "could not be built")
	s.mustWrite(t, "text", []byte("second\n"))
	s.mustBecome(t, 200, "second-staging", "first-staging")
	s.mustWrite(t, ".dev.vars", []byte("KEY=of all\n"))
	s.mustBecome(t, 200, "of all", "second-staging")
	s.mustWrite(t, ".dev.vars.staging", []byte("KEY=of staging\n"))
	s.mustBecome(t, 200, "of staging", "of all")
	s.mustWrite(t, ".dev.vars.next", []byte("KEY=of next\n"))
	s.mustWrite(t, ".dev.vars.staging", []byte("KEY=still of staging\n"))
	s.mustBecome(t, 200, "still of staging", "of staging", "of next")
}

func TestDevKeepsStateApart(t *testing.T) {
	s := mustDev(t, "one", prebuilt)
	got, err := os.ReadFile(filepath.Join(s.dir, ".mayfly", ".gitignore"))
	if err != nil || string(got) != "*\n" {
		t.Errorf(".gitignore is %q, %v", got, err)
	}
}

func TestDevPortInUse(t *testing.T) {
	s := mustDev(t, "one", prebuilt)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.url, "http://"), ":")
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "mayfly.toml"), []byte("name = \"x\"\nmain = \"x.wasm\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	code := cli.Run(t.Context(), []string{"dev", other, "--port", port}, cli.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: &errs})
	if want := "port " + port + " is in use"; code != 1 || !strings.Contains(errs.String(), want) || !strings.Contains(errs.String(), "--port") {
		t.Errorf("ended with %d and %q, want 1 and %q", code, errs.String(), want)
	}
}

// A build command may write where its sources are, and is not run for that.
func TestDevBuildCommand(t *testing.T) {
	s := mustDev(t, "one", `
main = "out.wasm"
[build]
command = "echo built >> builds.log && cp app.wasm out.wasm"
`)
	s.mustWrite(t, "app.wasm", tiny("two"))
	s.mustBecome(t, 200, "two", "one")
	builds, err := os.ReadFile(filepath.Join(s.dir, "builds.log"))
	if err != nil || strings.Count(string(builds), "built") != 2 {
		t.Errorf("builds.log is %q (%v), want 2 builds", builds, err)
	}
}

// TestDevAssets: static files are there after a save, without the build command being
// run again, and mistakes in their rules are shown.
func TestDevAssets(t *testing.T) {
	s := mustDev(t, "function", `
main = "app.wasm"
[build]
command = "echo built >> builds.log"
[assets]
directory = "public"
`)
	s.mustBecome(t, 500, "find the static files, [assets] directory in mayfly.toml")
	if err := os.Mkdir(filepath.Join(s.dir, "public"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.mustWrite(t, "public/index.html", []byte("first"))
	s.mustBecome(t, 200, "first", "could not be built", "function")
	s.mustWrite(t, "public/index.html", []byte("second"))
	s.mustBecome(t, 200, "second", "first")
	s.mustWrite(t, "public/_redirects", []byte("/a"))
	s.mustBecome(t, 500, "_redirects:1: there are 1 words", "second")
	s.mustWrite(t, "public/_redirects", nil)
	s.mustBecome(t, 200, "second", "could not be built")
	builds, err := os.ReadFile(filepath.Join(s.dir, "builds.log"))
	if err != nil || string(builds) != "built\n" {
		t.Errorf("the build command wrote %q, %v; want it to run once", builds, err)
	}
}

const queueWorker = `export default {
  fetch() { return new Response("one"); },
  queue({ queue, messages: [m] }) {
    console.log(queue, typeof m.body, m.attempts);
    if (m.body.again) m.retry({ delaySeconds: m.body.again });
    if (m.body === "bad") throw new Error("not this one");
  },
};`

// A message by hand, which is in no queue.
func TestDevQueue(t *testing.T) {
	s := mustDev(t, "", "main = \"app.wasm\"\n")
	s.mustWrite(t, "app.js", []byte(queueWorker))
	s.mustWrite(t, "mayfly.toml", []byte("main = \"app.js\"\n"))
	s.mustBecome(t, 200, "one", "")
	for _, tt := range []struct {
		query, body string
		status      int
		want        string
	}{
		{"?queue=jobs", `{"a":1}`, 200, "Ran queue event: the message is acknowledged\n"},
		{"?queue=jobs", `{"again":60}`, 200, "Ran queue event: the message is to be retried after 1m0s\n"},
		{"?queue=jobs", "bad", 500, "Queue event failed: exception: Uncaught Error: not this one"},
		{"?queue=jobs&content_type=bytes", "bytes", 200, "acknowledged"},
		{"?queue=jobs&content_type=xml", "x", 400, `the content type of a message is json, text, bytes or v8, not "xml"`},
		{"", "x", 400, "say which queue"},
	} {
		resp, err := http.Post(s.url+"/__queue"+tt.query, "application/x-www-form-urlencoded", strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
			t.Errorf("%q: got %d %q, %v", tt.query, resp.StatusCode, body, err)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "jobs object 1") || !strings.Contains(log, "jobs string 1") {
		t.Errorf("log %s", log)
	}
}

const watchingWorker = `export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname !== "/") await env.DATA.put("in" + pathname, "v");
    return new Response("watching");
  },
  kv(event) { console.log("saw", event.operation, event.key); },
};`

// What a Function writes comes back to its KV trigger, until the manifest has that no
// more, and the module no handler.
func TestDevKVTrigger(t *testing.T) {
	s := mustDev(t, "", "main = \"app.wasm\"\n")
	s.mustWrite(t, "app.js", []byte(watchingWorker))
	s.mustWrite(t, "mayfly.toml", []byte("main = \"app.js\"\nkv_namespaces = [{ binding = \"DATA\" }]\ntriggers.kv = [{ binding = \"DATA\", prefix = \"in/\" }]\n"))
	s.mustBecome(t, 200, "watching", "")
	for deadline := time.Now().Add(3 * time.Minute); !strings.Contains(s.log.String(), "saw put in/one"); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(s.url + "/one")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if time.Now().After(deadline) {
			t.Fatalf("log %s", s.log)
		}
	}
	s.mustWrite(t, "mayfly.toml", []byte("main = \"app.js\"\n"))
	s.mustWrite(t, "app.js", []byte(`export default { fetch() { return new Response("not any more"); } };`))
	s.mustBecome(t, 200, "not any more", "watching")
}

const scheduledWorker = `export default {
  fetch() { return new Response("one"); },
  scheduled(controller) {
    if (controller.cron === "0 0 1 1 *") throw new Error("not on New Year");
    console.log("ran", controller.cron);
  },
};`

// A Worker that sends to a queue which it consumes, and then to itself no more.
func TestDevConsumer(t *testing.T) {
	s := mustDev(t, "", "main = \"app.wasm\"\n")
	s.mustWrite(t, "app.js", []byte(`export default {
	  async fetch(request, env) { await env.JOBS.send({ n: 7 }); return new Response("sent"); },
	  queue(batch) { for (const m of batch.messages) console.log("job", m.body.n, batch.queue); },
	};`))
	s.mustWrite(t, "mayfly.toml", []byte("main = \"app.js\"\n[[queues.producers]]\nbinding = \"JOBS\"\nqueue = \"jobs\"\n[[queues.consumers]]\nqueue = \"jobs\"\nmax_batch_timeout = 0\n"))
	s.mustBecome(t, 200, "sent", "")
	for start := time.Now(); !strings.Contains(s.log.String(), "job 7 jobs"); time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > 3*time.Minute {
			t.Fatalf("no message came: %s", s.log.String())
		}
	}
	s.mustWrite(t, "app.js", []byte(`export default { fetch: () => new Response("alone") };`))
	s.mustWrite(t, "mayfly.toml", []byte("main = \"app.js\"\n"))
	s.mustBecome(t, 200, "alone", "")
}

// As wrangler dev --test-scheduled.
func TestDevScheduled(t *testing.T) {
	s := mustDev(t, "", "main = \"app.wasm\"\n")
	s.mustWrite(t, "app.js", []byte(scheduledWorker))
	s.mustWrite(t, "mayfly.toml", []byte("main = \"app.js\"\n[triggers]\ncrons = [\"* * * * *\"]\n"))
	s.mustBecome(t, 200, "one", "")
	for _, tt := range []struct {
		query  string
		status int
		want   string
	}{
		{"?cron=0+5+*+*+*", 200, "Ran scheduled event"},
		{"", 200, "Ran scheduled event"},
		{"?cron=0+0+1+1+*", 500, "Scheduled event failed: exception: not on New Year"},
		{"?cron=0+5", 400, "it has 2 fields"},
	} {
		resp, err := http.Get(s.url + "/__scheduled" + tt.query)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
			t.Errorf("%q: got %d %q, %v", tt.query, resp.StatusCode, body, err)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "ran 0 5 * * *") || !strings.Contains(log, "ran * * * * *") {
		t.Errorf("log %s", log)
	}
}
