package torture_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
)

// long says whether this is more than the short form that runs with all tests.
func long() bool { return os.Getenv("MAYFLY_TORTURE") != "" }

// program builds mayfly, once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mayfly-torture-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "mayfly")
	cmd := exec.Command("go", "build", "-o", file, "../cli/mayfly")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mayfly: %w\n%s", err, text)
	}
	return file, nil
})

// server is a node in a process of its own.
type server struct {
	cmd        *exec.Cmd
	data       string
	web, admin string
	log        *os.File
}

// mustServe is tryServe for a node that has to start. It is killed in the end.
func mustServe(t *testing.T, data, config string) *server {
	t.Helper()
	s, said := tryServe(t, data, config)
	if s == nil {
		t.Fatalf("the node did not start:\n%s", said)
	}
	t.Cleanup(s.kill)
	return s
}

// kill ends the node without notice. It may be gone already.
func (s *server) kill() {
	s.cmd.Process.Signal(syscall.SIGKILL) //nolint:errcheck // gone is gone
	s.cmd.Wait()                          //nolint:errcheck // it was killed
	s.log.Close()
}

// alive reports whether the process is there.
func (s *server) alive() bool { return s.cmd.Process.Signal(syscall.Signal(0)) == nil }

// mustToken is the administrator's.
func (s *server) mustToken(t *testing.T) string {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(s.data, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(token))
}

func (s *server) mustClient(t *testing.T, account string) *api.Client {
	t.Helper()
	c, err := api.New(api.Config{Base: "http://" + s.admin + "/client/v4", Account: account, Token: s.mustToken(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *server) mustAccount(t *testing.T, name string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.admin+"/client/v4/accounts", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.mustToken(t))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("create account %s: status %d, %s", name, resp.StatusCode, text)
	}
}

func (s *server) mustDeploy(t *testing.T, account, name string, module []byte, bindings ...api.Binding) {
	t.Helper()
	_, err := s.mustClient(t, account).Upload(context.Background(), name, module, api.Metadata{MainModule: "m.wasm", Bindings: bindings}, nil)
	if err != nil {
		t.Fatalf("deploy %s: %v", name, err)
	}
}

// host is where a Function answers.
func host(account, name string) string {
	if account == "local" {
		return name + ".localhost"
	}
	return name + "." + account + ".localhost"
}

// resident is the memory that the node takes, in bytes.
func (s *server) resident() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// settled is the memory that the node takes once it had time to calm down.
func (s *server) settled() int64 {
	time.Sleep(duration() / 4)
	return s.resident()
}
