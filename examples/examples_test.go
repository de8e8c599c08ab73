// Package examples_test builds every example, deploys it to a real node and
// asks it what its README says.
package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// exchange is a request to an example and the answer it must give.
type exchange struct {
	method, path, body string
	status             int
	want               []string // substrings of the body
}

func TestExamples(t *testing.T) {
	t.Run("shared", func(t *testing.T) { testExamples(t, "shared") })
	t.Run("process", func(t *testing.T) {
		if goruntime.GOOS != "linux" {
			t.Skip("worker processes need Linux")
		}
		testExamples(t, "process")
	})
}

// testExamples has guests run where isolation says.
func testExamples(t *testing.T, isolation string) {
	upstream := httptest.NewServer(http.HandlerFunc(echo))
	defer upstream.Close()
	tests := map[string][]exchange{
		"hello":    {{"GET", "/x?y", "", 200, []string{"Hello from Mayfly! You asked for /x\n"}}},
		"counter":  {{"GET", "/", "", 200, []string{"0\n"}}, {"POST", "/", "", 200, []string{"1\n"}}, {"PUT", "/", "", 405, nil}},
		"proxy":    {{"POST", "/p?q=1", "text", 200, []string{"POST /p?q=1 text"}}, {"GET", "/missing", "", 404, []string{"GET /missing"}}},
		"markdown": {{"POST", "/", "# Hi", 200, []string{"<h1>Hi</h1>"}}, {"GET", "/", "", 405, nil}},
		"cgi":      {{"POST", "/a?b=c", "the body", 200, []string{"REQUEST_METHOD=POST\n", "PATH_INFO=/a\n", "QUERY_STRING=b=c\n", "the body"}}},
		"site": {{"GET", "/", "", 200, []string{"<h1>A site on Mayfly</h1>"}}, {"GET", "/guide/", "", 200, []string{"<h1>Guide</h1>"}},
			{"GET", "/guide", "", 200, []string{"<h1>Guide</h1>"}}, {"GET", "/docs", "", 200, []string{"<h1>Guide</h1>"}}, // by redirects
			{"GET", "/style.css", "", 200, []string{"max-width"}}, {"GET", "/nothing", "", 404, []string{"There is no such page"}},
			{"GET", "/api/greet/Ada", "", 200, []string{"Hello, Ada!\n"}}, {"GET", "/api/x", "", 404, []string{"ask for"}}, {"POST", "/", "", 405, nil}},
		"mux": {{"GET", "/hello/you", "", 200, []string{`{"hello":"you"}`}}, {"POST", "/sum", "[1,2.5]", 200, []string{`{"sum":3.5}`}},
			{"POST", "/sum", "[", 400, nil}, {"GET", "/sum", "", 405, nil}, {"GET", "/ticks", "", 200, []string{"tick 1\n", "tick 5\n"}}},
		"wordcount": {{"GET", "/none", "", 200, []string{"0\n"}}, {"PUT", "/", "", 405, nil}},
		"auth":      {{"GET", "/whoami", "", 401, nil}},
		"gateway":   {{"GET", "/", "", 401, []string{"show a token"}}}, // which auth said, deployed before
	}
	maps.Copy(tests, workers())
	tests["ratelimit"] = slices.Repeat([]exchange{{"GET", "/", "", 200, nil}}, rateLimit)
	n := startNode(t, isolation)
	for _, queue := range []string{"mails", "mails-dead", "texts"} {
		n.mayfly("queues", "create", queue)
	}
	for _, dir := range projects(t) {
		t.Run(dir, func(t *testing.T) {
			project := checkout(t, dir, upstream.URL)
			install(t, project)
			url := n.deploy(t, project)
			if len(tests[dir]) == 0 {
				t.Fatal("this example has no request to test it with")
			}
			for _, e := range tests[dir] {
				n.ask(t, url, e)
			}
			if dir == "ratelimit" {
				n.exceed(t, url)
			}
		})
	}
	t.Run("gateway asks auth", func(t *testing.T) {
		n.ask(t, n.url("gateway"), exchange{"GET", "/", "", 200, []string{"Hello, bob\n"}}, "Authorization", "Bearer bob-token")
	})
	askWorkers(t, n)
	t.Run("an index follows its pages", func(t *testing.T) { followPages(t, n) })
	t.Run("mails are sent later, or not", func(t *testing.T) { sendMails(t, n) })
	t.Run("words are counted later", func(t *testing.T) { countWords(t, n) })
	t.Run("counter under concurrent requests", func(t *testing.T) { countTogether(t, n) })
}

// rateLimit is how many requests in a minute the example of that name answers.
const rateLimit = 5

// exceed asks until that is refused. Some more may be answered, if a minute ends meanwhile.
func (n *node) exceed(t *testing.T, url string) {
	t.Helper()
	for range 10 * rateLimit {
		switch status, body := n.answer(t, url, exchange{method: "GET", path: "/"}); status {
		case 200:
		case 429:
			return
		default:
			t.Fatalf("got %d %q", status, body)
		}
	}
	t.Error("all requests are answered, however many there are")
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("content-type", "text/plain")
	switch r.URL.Path {
	case "/missing":
		w.WriteHeader(404)
	case "/moved":
		http.Redirect(w, r, "/p", http.StatusFound)
	}
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.RequestURI(), body)
}

// projects are all folders with a manifest.
func projects(t *testing.T) (dirs []string) {
	t.Helper()
	manifests, err := filepath.Glob("*/mayfly.toml")
	if err != nil || len(manifests) < 6 {
		t.Fatalf("found %d examples: %v", len(manifests), err)
	}
	for _, m := range manifests {
		dirs = append(dirs, filepath.Dir(m))
	}
	return dirs
}

// countTogether: no increment is lost.
func countTogether(t *testing.T, n *node) {
	const clients, each = 8, 5
	before := n.count(t)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range each {
				n.ask(t, n.url("counter"), exchange{"POST", "/", "", 200, nil})
			}
		})
	}
	all.Wait()
	if got := n.count(t) - before; got != clients*each {
		t.Errorf("%d requests counted to %d", clients*each, got)
	}
}

// checkTokens asks with good and bad tokens.
func checkTokens(t *testing.T, n *node) {
	const key = "not a good key"
	n.mayflyWith(strings.NewReader(key), "secret", "put", "JWT_KEY", "--name", "worker-jwt")
	sign := func(key, head, claims string) string {
		text := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		return "Bearer " + text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	const head = `{"alg":"HS256"}`
	for _, tt := range []struct {
		token  string
		status int
	}{
		{sign(key, head, `{"sub":"ada?>"}`), 200},
		{sign("other", head, `{"sub":"ada"}`), 401},
		{sign(key, `{"alg":"none"}`, `{"sub":"ada"}`), 401},
		{sign(key, head, `{"sub":"ada","exp":1}`), 401},
		{"Bearer x", 401},
		{"", 401},
	} {
		n.ask(t, n.url("worker-jwt"), exchange{"GET", "/", "", tt.status, nil}, "Authorization", tt.token)
	}
}

// node is a running mayfly.
type node struct {
	t           *testing.T
	binary      string
	http, admin string
	token       string
}

func startNode(t *testing.T, isolation string) *node {
	t.Helper()
	dir := t.TempDir()
	n := &node{t: t, binary: filepath.Join(dir, "mayfly")}
	run(t, exec.Command("go", "build", "-o", n.binary, "../cli/mayfly"))
	config := filepath.Join(dir, "node.toml")
	if err := os.WriteFile(config, []byte("[node]\nisolation = '"+isolation+"'\n[egress]\nallow_private = true\nhigh_ports = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	serve := exec.Command(n.binary, "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--config", config)
	var log bytes.Buffer
	serve.Stderr = &log
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		serve.Process.Signal(os.Interrupt)
		if err := serve.Wait(); err != nil || t.Failed() {
			t.Errorf("node ended: %v\n%s", err, log.String())
		}
	})
	ready, err := bufio.NewReader(out).ReadString('\n')
	if _, scanErr := fmt.Sscanf(ready, "ready http=%s admin=%s", &n.http, &n.admin); scanErr != nil {
		t.Fatalf("first line %q: %v %v\n%s", ready, err, scanErr, log.String())
	}
	token, err := os.ReadFile(filepath.Join(data, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	n.token = strings.TrimSpace(string(token))
	return n
}

func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd.Args, err, out, stderr.String())
	}
	return string(out)
}

// mayfly runs a command against the node and returns what it prints.
func (n *node) mayfly(args ...string) string {
	n.t.Helper()
	return n.mayflyWith(nil, args...)
}

func (n *node) mayflyWith(stdin io.Reader, args ...string) string {
	n.t.Helper()
	cmd := exec.Command(n.binary, args...)
	cmd.Stdin = stdin
	cmd.Env = append(os.Environ(), "MAYFLY_API=http://"+n.admin+"/client/v4", "MAYFLY_API_TOKEN="+n.token)
	return run(n.t, cmd)
}

// checkout copies an example beside the SDK and lets it proxy our upstream.
func checkout(t *testing.T, dir, upstream string) string {
	t.Helper()
	root := t.TempDir()
	sdk, err := filepath.Abs("../sdk")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sdk, filepath.Join(root, "sdk")); err != nil {
		t.Fatal(err)
	}
	project := filepath.Join(root, "examples", dir)
	copySources(t, project, dir)
	edit(t, filepath.Join(project, "mayfly.toml"), func(text string) string {
		return strings.Replace(text, `UPSTREAM = "https://example.com"`, fmt.Sprintf("UPSTREAM = %q", upstream), 1)
	})
	return project
}

// copySources leaves behind what npm and mayfly dev made.
func copySources(t *testing.T, to, from string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		switch {
		case e.Name() == "node_modules" || e.Name() == ".mayfly":
		case e.IsDir():
			err = os.CopyFS(target, os.DirFS(source))
		default:
			var data []byte
			if data, err = os.ReadFile(source); err == nil {
				err = os.WriteFile(target, data, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func edit(t *testing.T, file string, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(change(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (n *node) deploy(t *testing.T, project string) (url string) {
	t.Helper()
	out := strings.Fields(n.mayfly("deploy", project))
	if len(out) == 0 || !strings.HasPrefix(out[len(out)-1], "http://") {
		t.Fatalf("deploy printed %q, and no URL at the end", out)
	}
	return out[len(out)-1]
}

func (n *node) url(function string) string { return "http://" + function + ".localhost" }

// ask sends a request to the node and wants its answer.
func (n *node) ask(t *testing.T, url string, e exchange, headers ...string) string {
	t.Helper()
	status, body := n.answer(t, url, e, headers...)
	if status != e.status {
		t.Errorf("%s %s: %d %q; want %d", e.method, e.path, status, body, e.status)
	}
	for _, want := range e.want {
		if !strings.Contains(body, want) {
			t.Errorf("%s %s: got %q, want %q in it", e.method, e.path, body, want)
		}
	}
	return body
}

// answer sends a request to the node, whatever name the URL's host resolves to.
// headers are names and values in turn.
func (n *node) answer(t *testing.T, url string, e exchange, headers ...string) (status int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, e.method, url+e.path, strings.NewReader(e.body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	req.URL.Host = n.http
	send := http.DefaultClient.Do
	if e.status/100 == 3 {
		send = http.DefaultTransport.RoundTrip // which follows no redirect
	}
	resp, err := send(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%s %s: read answer with status %d: %v", e.method, e.path, resp.StatusCode, err)
	}
	return resp.StatusCode, string(body)
}

func (n *node) count(t *testing.T) (v int) {
	t.Helper()
	if _, err := fmt.Sscan(n.ask(t, n.url("counter"), exchange{"GET", "/", "", 200, nil}), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
