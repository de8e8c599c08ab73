// Package wrangler_test drives a node with the unmodified wrangler from npm, as a
// user does who moves to it: with three variables of the environment.
package wrangler_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli"
	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/kv/logtest"
)

// step is one call of wrangler.
type step struct {
	args  string // fields; {ns} and {v1}, {v2} stand for ids
	stdin string
	want  string // regular expression for what it prints
	fails bool
	long  bool // only in make torture
	// answer is what the Function answers after it; empty if that does not matter.
	answer string
}

// The order counts: each step builds on those before.
var steps = []step{
	{args: "whoami", want: `local\s+│ local`},
	{args: "kv namespace list", want: `"id": "{ns}",\s+"title": "cache"`},
	{args: "kv key put --remote --namespace-id {ns} greeting hello --ttl 3600 --metadata {\"a\":1}", want: `Writing the value "hello" to key "greeting"`},
	{args: "kv key get --remote --namespace-id {ns} greeting", want: `^hello$`},
	{args: "kv key list --remote --namespace-id {ns}", want: `"name": "greeting",\s+"expiration": [0-9]+,\s+"metadata": {\s+"a": 1`},
	{args: "kv key put --remote --namespace-id {ns} brief x --ttl 5", want: `Invalid expiration_ttl of 5. Expiration TTL must be at least 60`, fails: true},
	{args: "kv key delete --remote --namespace-id {ns} greeting", want: `Deleting the key "greeting"`},
	{args: "kv key get --remote --namespace-id {ns} greeting", want: `404: Not Found`, fails: true},
	{args: "kv bulk put --remote --namespace-id {ns} bulk.json", want: `Success!`},
	{args: "kv bulk get --remote --namespace-id {ns} keys.json", want: `"one": "1"`},
	{args: "kv bulk delete --remote --namespace-id {ns} keys.json --force", want: `Success!`},
	{args: "kv key list --remote --namespace-id {ns} --prefix o", want: `^\[\]$`},

	{args: "versions list", want: `(?s)Version ID:\s+{v1}.*Message:\s+first.*Version ID:\s+{v2}.*Tag:\s+v2.*Message:\s+second`},
	{args: "versions view {v2}", want: `(?s)Source:\s+Upload.*Handlers:\s+fetch`},
	{args: "deployments list", want: `(?s)\(100%\) {v1}.*\(100%\) {v2}`},
	{args: "deployments status", want: `\(100%\) {v2}`},
	{args: "versions deploy {v1}@10% {v2}@90% -y --message trying", want: `Deployed hello version {v1} at 10% and version {v2} at 90%`},
	{args: "deployments status", want: `(?s)Message:\s+trying.*\(90%\) {v2}.*\(10%\) {v1}`},
	{args: "rollback {v1} -y", want: `{v1} has been deployed to 100% of traffic`},
	{args: "versions deploy {v2}@100% -y", want: `Deployed hello version {v2} at 100%`},

	{args: "secret put API_KEY", stdin: "one", want: `Success! Uploaded secret API_KEY`},
	{args: "secret list", want: `"name": "API_KEY",\s+"type": "secret_text"`},
	{args: "secret bulk secrets.json", want: `2 secrets? successfully`},
	{args: "secret delete OTHER", want: `Success! Deleted secret OTHER`},
	{args: "versions secret put LATER", stdin: "later", want: `Created version .* with secret LATER`},
	{args: "secret put API_KEY", stdin: "two", want: `latest version of your Worker isn't currently deployed`, fails: true},
	{args: "rollback {v2} -y", want: `(?s)secrets have changed.*API_KEY.*has been deployed to 100%`},
	{args: "versions secret list", want: `Version {v2} \(100%\) secrets`},

	{args: "triggers deploy --config routes.toml", want: `(?s)Deployed hello triggers.*example\.com/api/\*.*shop\.example\.com \(custom domain\)`},
	{args: "triggers deploy --config routes.toml", want: `Deployed hello triggers`}, // looks for conflicts now
	{args: "triggers deploy", want: `Deployed hello triggers`},
	{args: "triggers deploy --config crons.toml", want: `schedule: \*/30 \* \* \* 2-6\s+schedule: 59 23 LW \* \*`},
	{args: "triggers deploy --config wrong.toml", want: `cron expression "0 0 31 2 \*": there is no such day`, fails: true},
	{args: "tail hello --format json", want: `"outcome": "ok"`}, // see tail
	{args: "delete --force", want: `Successfully deleted hello`},

	// An unmodified JavaScript project.
	{args: "deploy", want: `(?s)env.MODE \("production"\).*Deployed hello triggers.*Current Version ID: [0-9a-f-]{36}`, answer: `{"path":"/","mode":"production","other":"from other.js"}`},
	{args: "versions upload --message edited --tag v3 --var MODE:edited", want: `Version Preview URL`, answer: `{"path":"/","mode":"production","other":"from other.js"}`},
	{args: "versions list", want: `(?s)Tag:\s+v3.*Message:\s+edited`},
	{args: "deploy --var MODE:again", want: `Current Version ID`, answer: `{"path":"/","mode":"again","other":"from other.js"}`},
	{args: "rollback -y", want: `has been deployed to 100%`, answer: `{"path":"/","mode":"production","other":"from other.js"}`},
	{args: "deploy broken.js", want: `nothing.* is not defined`, fails: true},
	{args: "delete --force", want: `Successfully deleted hello`},
	{args: "versions list", want: `does not exist`, fails: true},
	{args: "kv namespace delete --namespace-id {ns} -y", want: `Deleted|Deleting`},
}

func TestWrangler(t *testing.T) {
	n := startNode(t)
	w := newWrangler(t, n)
	created := w.mustRun(t, step{args: "kv namespace create cache", want: `id = "[0-9a-f]{32}"`})
	ids := map[string]string{"ns": regexp.MustCompile(`id = "([0-9a-f]{32})"`).FindStringSubmatch(created)[1]}
	ids["v1"] = n.mustDeploy(t, "first", "")
	ids["v2"] = n.mustDeploy(t, "second", "v2")
	for _, s := range steps {
		for name, id := range ids {
			s.args = strings.ReplaceAll(s.args, "{"+name+"}", id)
			s.want = strings.ReplaceAll(s.want, "{"+name+"}", id)
		}
		if strings.HasPrefix(s.args, "tail ") {
			w.tail(t, n, s)
			continue
		}
		w.mustRun(t, s)
		if s.answer == "" {
			continue
		}
		if got := n.mustAsk(t); got != s.answer {
			t.Fatalf("after wrangler %s the Function answers %s, want %s", s.args, got, s.answer)
		}
	}
}

// wrangler is how the program is started.
type wrangler struct {
	script string
	dir    string // of a project
	env    []string
}

const worker = `import { other } from "./other.js";
export default {
  async fetch(request, env) {
    return Response.json({ path: new URL(request.url).pathname, mode: env.MODE, other });
  },
};
`

func newWrangler(t *testing.T, n *node) *wrangler {
	t.Helper()
	w := &wrangler{install(t), t.TempDir(), append(os.Environ(), "CLOUDFLARE_API_BASE_URL="+n.api, "CLOUDFLARE_API_TOKEN="+n.token,
		"CLOUDFLARE_ACCOUNT_ID=local", "WRANGLER_SEND_METRICS=false", "WRANGLER_SEND_ERROR_REPORTS=false", "WRANGLER_LOG_PATH="+t.TempDir(), "CI=1", "NO_COLOR=1", "FORCE_COLOR=0")}
	for name, text := range map[string]string{
		"wrangler.toml": "name = \"hello\"\nmain = \"index.js\"\ncompatibility_date = \"2025-01-01\"\n[vars]\nMODE = \"production\"\n",
		"routes.toml":   "name = \"hello\"\nmain = \"index.js\"\ncompatibility_date = \"2025-01-01\"\nroutes = [\"example.com/api/*\", { pattern = \"shop.example.com\", custom_domain = true }]\n",
		"crons.toml":    "name = \"hello\"\nmain = \"index.js\"\ncompatibility_date = \"2025-01-01\"\n[triggers]\ncrons = [\"*/30 * * * 2-6\", \"59 23 LW * *\"]\n",
		"wrong.toml":    "name = \"hello\"\nmain = \"index.js\"\ncompatibility_date = \"2025-01-01\"\n[triggers]\ncrons = [\"0 0 31 2 *\"]\n",
		"index.js":      worker,
		"other.js":      "export const other = 'from other.js';\n",
		"broken.js":     "nothing();\nexport default { fetch() {} }\n",
		"bulk.json":     `[{"key":"one","value":"1"},{"key":"two","value":"Mg==","base64":true}]`,
		"keys.json":     `["one","two"]`,
		"secrets.json":  `{"API_KEY":"three","OTHER":"four"}`,
	} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// install installs what package-lock.json says, once, and returns the program.
func install(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not installed; the node was not driven with wrangler")
	}
	if _, err := os.Stat("node_modules/wrangler/package.json"); errors.Is(err, os.ErrNotExist) {
		if out, err := exec.Command(npm, "ci", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
	}
	script, err := filepath.Abs("node_modules/wrangler/bin/wrangler.js")
	if err != nil {
		t.Fatal(err)
	}
	return script
}

func (w *wrangler) command(ctx context.Context, args string) *exec.Cmd {
	c := exec.CommandContext(ctx, "node", append([]string{w.script}, strings.Fields(args)...)...)
	c.Dir, c.Env = w.dir, w.env
	return c
}

// colours are those of a terminal, and characters that show nothing.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m|\u200b")

// mustRun runs a step and returns what it printed.
func (w *wrangler) mustRun(t *testing.T, s step) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := w.command(ctx, s.args)
	c.Stdin = strings.NewReader(s.stdin)
	out, err := c.CombinedOutput()
	out = colours.ReplaceAll(out, nil)
	if failed := err != nil; failed != s.fails || !regexp.MustCompile(`(?m)`+s.want).Match(out) {
		t.Fatalf("wrangler %s: %v; want %s\n%s", s.args, err, s.want, out)
	}
	return string(out)
}

// tail asks the Function until wrangler shows a request.
func (w *wrangler) tail(t *testing.T, n *node, s step) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := w.command(ctx, s.args)
	var out logtest.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(s.want)
	for !want.MatchString(out.String()) {
		if ctx.Err() != nil {
			t.Fatalf("wrangler %s showed no request:\n%s", s.args, &out)
		}
		n.mustAsk(t)
		time.Sleep(100 * time.Millisecond)
	}
	c.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended
	c.Wait()                       //nolint:errcheck // it was interrupted
}

// node is a node that runs until the test ends.
type node struct {
	web, api, token string
	log             *logtest.Buffer
}

func startNode(t *testing.T) *node {
	t.Helper()
	data := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	log := new(logtest.Buffer)
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
			cli.Stdio{In: strings.NewReader(""), Out: in, Err: log})
		in.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("the node ended with %d: %s", code, log)
		}
	})
	var web, admin string
	if _, err := fmt.Fscanf(out, "ready http=%s admin=%s\n", &web, &admin); err != nil {
		t.Fatalf("start node: %v: %s", err, log)
	}
	token, err := os.ReadFile(filepath.Join(data, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	return &node{web, "http://" + admin + "/client/v4", strings.TrimSpace(string(token)), log}
}

// mustDeploy uploads a module that answers, and returns the id of its Version.
func (n *node) mustDeploy(t *testing.T, message, tag string) string {
	t.Helper()
	client, err := api.New(api.Config{Base: n.api, Account: "local", Token: n.token})
	if err != nil {
		t.Fatal(err)
	}
	s, err := client.Upload(t.Context(), "hello", answers(message), api.Metadata{MainModule: "hello.wasm", Bindings: []api.Binding{},
		Annotations: map[string]string{api.MessageAnnotation: message, api.TagAnnotation: tag}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.VersionID
}

// answers is a module that answers every request with a text.
func answers(text string) []byte {
	var m hosttest.Module
	f, _ := native.New().Modules()[0].Find("respond")
	respond := m.Import("mayfly", "respond", f.Params, f.Results)
	m.Memory(1)
	m.Data(0, []byte(text))
	var ops []byte
	for _, v := range []int32{200, 0, 0, 0, int32(len(text))} {
		ops = append(ops, hosttest.I32Const(v)...)
	}
	m.Func("fetch", nil, nil, nil, append(append(ops, hosttest.Call(respond)...), hosttest.Drop...))
	return m.Bytes()
}

// mustAsk asks the Function, and returns its answer.
func (n *node) mustAsk(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+n.web+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "hello.localhost"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
