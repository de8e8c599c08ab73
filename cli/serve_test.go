package cli_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli"
	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// server is a mayfly serve in a process of its own.
type server struct {
	cmd        *exec.Cmd
	out        *bufio.Reader
	log        *bufio.Scanner
	data       string
	web, admin string
}

// mustServe starts a node; config is the text of its configuration file, if any.
func mustServe(t *testing.T, config ...string) *server {
	t.Helper()
	return mustServeIn(t, filepath.Join(t.TempDir(), "data"), config...)
}

// mustServeIn starts a node on a data directory.
func mustServeIn(t *testing.T, data string, config ...string) *server {
	t.Helper()
	s := &server{data: data}
	// Whoever waits for its output sees the end of it then.
	ctx, cancel := context.WithTimeout(context.Background(), 7*time.Minute)
	t.Cleanup(cancel)
	args := []string{"serve", "--data", s.data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}
	for _, text := range config {
		file := filepath.Join(t.TempDir(), "node.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", file)
	}
	s.cmd = exec.CommandContext(ctx, "mayfly", args...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.out, s.log = bufio.NewReader(out), bufio.NewScanner(log)
	if _, err := fmt.Fscanf(s.out, "ready http=%s admin=%s\n", &s.web, &s.admin); err != nil {
		said, _ := io.ReadAll(log) // until it has ended
		t.Fatalf("read the line that says ready: %v; the node said:\n%s", err, said)
	}
	return s
}

// mustLog waits until the log has something.
func (s *server) mustLog(t *testing.T, what string) {
	t.Helper()
	for s.log.Scan() {
		if strings.Contains(s.log.Text(), what) {
			return
		}
	}
	t.Fatalf("the log ended without %q", what)
}

func (s *server) mustDeploy(t *testing.T, name string, module []byte) {
	t.Helper()
	if err := s.deploy(t, name, module); err != nil {
		t.Fatal(err)
	}
}

func (s *server) deploy(t *testing.T, name string, module []byte) error {
	t.Helper()
	c, err := api.New(api.Config{Base: "http://" + s.admin + "/client/v4", Account: "local", Token: s.mustToken(t)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Upload(t.Context(), name, module, api.Metadata{MainModule: name}, nil)
	return err
}

// mustToken is the administrator's.
func (s *server) mustToken(t *testing.T) string {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(s.data, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(token))
}

func (s *server) mustSignal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func TestServeEndsOnSignal(t *testing.T) {
	s := mustServe(t)
	if ok, _ := regexp.MatchString(`^127\.0\.0\.1:\d+$`, s.web); !ok {
		t.Errorf("http=%s", s.web)
	}
	s.mustSignal(t, syscall.SIGTERM)
	if rest, err := io.ReadAll(s.out); err != nil || len(rest) > 0 {
		t.Errorf("more on standard output: %q, %v", rest, err)
	}
	for s.log.Scan() {
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("serve: %v", err)
	}
}

// A request that does not end keeps the node, but not after a second signal.
func TestServeEndsAtOnceOnSecondSignal(t *testing.T) {
	s := mustServe(t)
	s.mustDeploy(t, "endless", endless())
	req, err := http.NewRequest(http.MethodGet, "http://"+s.web+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "endless.localhost"
	go func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	s.mustLog(t, "begun")
	s.mustSignal(t, syscall.SIGTERM)
	s.mustLog(t, "draining")
	s.mustSignal(t, syscall.SIGTERM)
	for s.log.Scan() {
	}
	s.cmd.Wait() // tells what ExitCode does
	if got, want := s.cmd.ProcessState.ExitCode(), 128+int(syscall.SIGTERM); got != want {
		t.Errorf("serve ended with %d, want %d", got, want)
	}
}

// endless is a Function that logs and then loops.
func endless() []byte {
	m := new(hosttest.Module)
	log := m.Import("mayfly", "log", []abi.Type{abi.I32, abi.I32, abi.I32}, []abi.Type{abi.I32})
	m.Memory(1)
	m.Data(0, []byte("begun"))
	m.Func("fetch", nil, nil, nil,
		hosttest.I32Const(1), hosttest.I32Const(0), hosttest.I32Const(5), hosttest.Call(log), hosttest.Drop,
		hosttest.Loop, hosttest.Br(0), hosttest.End)
	return m.Bytes()
}

func TestServeRefuses(t *testing.T) {
	s := mustServe(t)
	notDir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"no port", []string{"--data", t.TempDir(), "--listen", "nonsense", "--admin", "127.0.0.1:0"}, `listen on "nonsense", which is to be HOST:PORT`},
		{"port in use", []string{"--data", t.TempDir(), "--listen", s.web, "--admin", "127.0.0.1:0"}, "address already in use"},
		{"admin port in use", []string{"--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", s.web}, "address already in use"},
		{"data in use", []string{"--data", s.data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, "in use by process"},
		{"data is a file", []string{"--data", notDir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, "open data directory"},
		{"no such configuration", []string{"--data", t.TempDir(), "--config", "absent.toml"}, "absent.toml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var errs strings.Builder
			code := cli.Run(t.Context(), append([]string{"serve"}, test.args...), cli.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: &errs})
			if code != 1 || !strings.Contains(errs.String(), test.want) {
				t.Errorf("ended with %d and %q, want 1 and %q", code, errs.String(), test.want)
			}
		})
	}
}

// A context that has ended leaves nothing running.
func TestServeInterrupted(t *testing.T) {
	p := start("serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	var web, admin string
	if _, err := fmt.Fscanf(p.out, "ready http=%s admin=%s\n", &web, &admin); err != nil {
		t.Fatalf("%v: %s", err, &p.log)
	}
	if got := p.end(); got != 0 {
		t.Errorf("ended with %d, want 0: %s", got, &p.log)
	}
	if _, err := http.Get("http://" + web); err == nil {
		t.Error("the node still answers")
	}
}

// A user who may not write the data directory is told so, and nothing else is
// touched.
func TestServeUnwritable(t *testing.T) {
	data := t.TempDir()
	if err := os.Chmod(data, 0o500); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mayfly-unprivileged", "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("ended with %d, %v; want 1", code, err)
	}
	if got := string(out); !strings.Contains(got, "open data directory "+data) || !strings.Contains(got, "permission denied") || strings.Contains(got, "ready") {
		t.Errorf("it says %q", got)
	}
}

func TestServeRefusesConfiguration(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
	}{
		{"no TOML", "[node\n", "node.toml:1:"},
		{"unknown key", "[node]\nlisen = \"127.0.0.1:0\"\n", `node.toml:2:1: unknown key "lisen" in [node]: did you mean "listen"?`},
		{"a manifest", "name = \"app\"\nmain = \"app.wasm\"\n", `node.toml:1:1: unknown key "name"`},
		{"wrong type", "[limits]\nmemory_mb = \"much\"\n", "node.toml:2:13: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			config := filepath.Join(dir, "node.toml")
			if err := os.WriteFile(config, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			data := filepath.Join(dir, "data")
			var errs strings.Builder
			code := cli.Run(t.Context(), []string{"serve", "--data", data, "--config", config}, cli.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: &errs})
			if code != 2 || !strings.Contains(errs.String(), test.want) {
				t.Errorf("ended with %d and %q, want 2 and %q", code, errs.String(), test.want)
			}
			if _, err := os.Stat(data); !os.IsNotExist(err) {
				t.Errorf("the data directory was touched: %v", err)
			}
		})
	}
}
