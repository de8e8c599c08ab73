package torture_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
)

// tryServe starts a node that may refuse; then it returns what the node said. The
// config is its configuration file, the prefix a command that becomes the node.
func tryServe(t *testing.T, data, config string, prefix ...string) (s *server, said string) {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return tryProgram(t, file, data, config, prefix...)
}

// readyTime is how long a node may take to start before it counts as one that hangs.
const readyTime = 3 * time.Minute

// answerTime is how long an answer may take before it counts as one that does not come.
const answerTime = time.Minute

// tryProgram is tryServe for another build of mayfly.
func tryProgram(t *testing.T, file, data, config string, prefix ...string) (s *server, said string) {
	t.Helper()
	var err error
	dir := t.TempDir()
	toml := filepath.Join(dir, "node.toml")
	if err := os.WriteFile(toml, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s = &server{data: data}
	if s.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	command := append(prefix, file, "serve", "--data", data, "--config", toml, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	s.cmd = exec.Command(command[0], command[1:]...)
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hangs := time.AfterFunc(readyTime, func() { s.cmd.Process.Kill() }) //nolint:errcheck // it may have ended just now
	defer hangs.Stop()
	if _, err := fmt.Fscanf(bufio.NewReader(out), "ready http=%s admin=%s\n", &s.web, &s.admin); err != nil {
		s.kill()
		text, _ := os.ReadFile(s.log.Name())
		return nil, string(text)
	}
	return s, ""
}

// end lets the node finish.
func (s *server) end(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("the node ended with %v", err)
	}
}

// hello is what the Function hello answers.
func (s *server) hello() string { return s.says("hello") }

// says is what a Function answers.
func (s *server) says(name string) string {
	req, err := http.NewRequest("GET", "http://"+s.web+"/", nil)
	if err != nil {
		return err.Error()
	}
	req.Host = host("local", name)
	client := http.Client{Timeout: answerTime}
	resp, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// kv sends one request about a value; status 0 is no answer.
func (s *server) kv(t *testing.T, method, namespace, key string, body []byte, headers ...string) (status int, header http.Header, answer []byte) {
	return s.call(t, method, "/storage/kv/namespaces/"+namespace+key, body, headers...)
}

// call sends one request about account local; status 0 is no answer.
func (s *server) call(t *testing.T, method, path string, body []byte, headers ...string) (status int, header http.Header, answer []byte) {
	req, err := http.NewRequest(method, "http://"+s.admin+"/client/v4/accounts/local"+path, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, nil, nil
	}
	req.Header.Set("Authorization", "Bearer "+s.mustToken(t))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Timeout: answerTime}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		return 0, nil, nil
	}
	return resp.StatusCode, resp.Header, answer
}

func (s *server) mustPut(t *testing.T, namespace, key string, value []byte) {
	t.Helper()
	if err := s.mustClient(t, "local").PutValue(t.Context(), namespace, key, value, api.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (s *server) value(t *testing.T, namespace, key string) (value []byte, status int) {
	status, _, value = s.kv(t, "GET", namespace, "/values/"+key, nil)
	return value, status
}
