package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
)

// call sends a request to the API with a token and returns status and body.
func (s *server) call(t *testing.T, token, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+s.admin+"/client/v4/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/wasm")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// mustRun runs a command against the node and returns what it prints.
func (s *server) mustRun(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("mayfly", args...)
	cmd.Env = append(os.Environ(), "MAYFLY_API=http://"+s.admin+"/client/v4", "MAYFLY_API_TOKEN="+s.mustToken(t))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// raw sends bytes to the node and returns the status of the answer.
func (s *server) raw(t *testing.T, request string) int {
	t.Helper()
	c, err := net.Dial("tcp", s.web)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(3 * time.Minute))
	io.WriteString(c, request) // may fail where the node does not read on
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// mustAnswer asks a Function and wants its answer.
func (s *server) mustAnswer(t *testing.T, function string, status int) {
	t.Helper()
	if got := s.raw(t, "GET / HTTP/1.1\r\nHost: "+function+".localhost\r\n\r\n"); got != status {
		t.Errorf("%s: status %d, want %d", function, got, status)
	}
}

// mustDeployGood deploys the Function that has to answer whatever is done to the
// node, and has a minute for it: the node's own limit is for what loops.
func (s *server) mustDeployGood(t *testing.T) {
	t.Helper()
	c, err := api.New(api.Config{Base: "http://" + s.admin + "/client/v4", Account: "local", Token: s.mustToken(t)})
	if err != nil {
		t.Fatal(err)
	}
	metadata := api.Metadata{MainModule: "good", Mayfly: map[string]any{"limits": map[string]any{"wall_ms": 60_000}}}
	if _, err := c.Upload(t.Context(), "good", tiny("hello"), metadata, nil); err != nil {
		t.Fatal(err)
	}
}

// hostile are modules that a node refuses, with what it says.
func hostile() map[string][2]string {
	importing := func(add func(m *hosttest.Module)) string {
		var m hosttest.Module
		add(&m)
		m.Memory(1)
		m.Func("fetch", nil, nil, nil)
		return string(m.Bytes())
	}
	const magic = "\x00asm\x01\x00\x00\x00"
	good := string(tiny("hello"))
	return map[string][2]string{
		"empty":           {"", "the file is empty"},
		"truncated":       {good[:len(good)-10], "not valid WebAssembly"},
		"random":          {strings.Repeat("\x9c\x03\xf5", 999), "does not begin with"},
		"random sections": {magic + strings.Repeat("\x9c\x03\xf5", 999), "not valid WebAssembly"},
		"component":       {"\x00asm\x0d\x00\x01\x00", "this is a WebAssembly component"},
		"wrong version":   {"\x00asm\x02\x00\x00\x00", "version 0x02000000 is not supported"},
		"unknown import":  {importing(func(m *hosttest.Module) { m.Import("env", "f", nil, nil) }), "imports function env.f"},
		"newer ABI":       {importing(func(m *hosttest.Module) { m.Import("mayfly@9.0", "f", nil, nil) }), "needs version 9.0"},
		"wrong signature": {importing(func(m *hosttest.Module) { m.Import("mayfly", "log", nil, []abi.Type{abi.I64}) }),
			"imports mayfly.log as () -> (i64); it is (i32 i32 i32) -> (i32)"},
		"imported memory": {magic + "\x02\x0f\x01\x03env\x06memory\x02\x00\x01", "imports memory env.memory"},
		"no entry point":  {magic, "no entry point"},
	}
}

// Whatever comes, the node answers with a clear error, keeps what it had, and
// goes on.
func TestServeHostile(t *testing.T) {
	s := mustServe(t, "[node]\nmax_module_mb = 1\n[limits]\nwall_ms = 2000\ncpu_ms = 10_000\n")
	s.mustDeployGood(t)
	t.Run("modules", s.refusesModules)
	t.Run("requests", s.refusesRequests)
	t.Run("guests", s.survivesGuests)
	t.Run("tokens", s.refusesTokens)
}

// script is where the good Function is uploaded.
const script = "accounts/local/workers/scripts/good"

func (s *server) refusesModules(t *testing.T) {
	for name, tt := range hostile() {
		status, body := s.call(t, s.mustToken(t), http.MethodPut, script, tt[0])
		if status != 400 || !strings.Contains(body, tt[1]) || !strings.Contains(body, `"success":false`) {
			t.Errorf("%s: got %d %s, want 400 and %q", name, status, body, tt[1])
		}
		s.mustAnswer(t, "good", 200)
	}
	if status, body := s.call(t, s.mustToken(t), http.MethodPut, script, strings.Repeat("x", 1<<20+1)); status != 413 {
		t.Errorf("module too large: got %d %s, want 413", status, body)
	}
}

func (s *server) refusesRequests(t *testing.T) {
	const head = " HTTP/1.1\r\nHost: good.localhost\r\n"
	for _, tt := range []struct {
		name, request string
		want          int
	}{
		{"body", "POST /" + head + "Content-Length: 20000000\r\n\r\n" + strings.Repeat("a", 16<<10), 413},
		{"URL", "GET /" + strings.Repeat("a", 16<<10) + head + "\r\n", 414},
		{"header", "GET /" + head + "X: " + strings.Repeat("a", 32<<10) + "\r\n\r\n", 431},
	} {
		if got := s.raw(t, tt.request); got != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, got, tt.want)
		}
	}
	s.mustAnswer(t, "good", 200)
}

// A guest that fails while it is initialised is refused at deploy, where one that
// loops is stopped as in a request (and has a name of its own, as good's limits would
// stay with that); one that fails later fails by itself.
func (s *server) survivesGuests(t *testing.T) {
	for name, tt := range map[string][3]string{
		"start traps": {script, string(starting(hosttest.Unreachable)), "initialisation failed: wasm error: unreachable"},
		"start loops": {"accounts/local/workers/scripts/looping", string(starting(hosttest.Loop, hosttest.Br(0), hosttest.End)), "wall time limit exceeded"},
	} {
		status, body := s.call(t, s.mustToken(t), http.MethodPut, tt[0], tt[1])
		if status != 400 || !strings.Contains(body, tt[2]) {
			t.Errorf("%s: got %d %s, want 400 and %q", name, status, body, tt[2])
		}
		s.mustAnswer(t, "good", 200)
	}
	for _, tt := range []struct {
		name   string
		module []byte
		want   int
	}{
		{"loops", endless(), 504},
		{"large-answer", large(33 << 20), 500},
	} {
		s.mustDeploy(t, tt.name, tt.module)
		s.mustAnswer(t, tt.name, tt.want)
		s.mustAnswer(t, "good", 200)
	}
}

// starting does ops when it is instantiated.
func starting(ops ...[]byte) []byte {
	var m hosttest.Module
	m.Memory(1)
	m.Start(m.Func("", nil, nil, nil, ops...))
	m.Func("fetch", nil, nil, nil)
	return m.Bytes()
}

func (s *server) refusesTokens(t *testing.T) {
	s.mustRun(t, "account", "create", "other")
	other := s.mustRun(t, "token", "create", "--account", "other")
	for _, tt := range []struct {
		name, token string
		want        int
	}{
		{"missing", "", 401}, {"wrong", "nonsense", 401}, {"another account's", other, 403},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			if status, body := s.call(t, tt.token, method, script, string(tiny("mine"))); status != tt.want {
				t.Errorf("%s with a token that is %s: %d %s, want %d", method, tt.name, status, body, tt.want)
			}
		}
	}
	s.mustAnswer(t, "good", 200)
}

// large answers with more bytes than may be held for a response.
func large(size int32) []byte {
	var m hosttest.Module
	i32 := abi.I32
	respond := m.Import("mayfly", "respond", []abi.Type{i32, i32, i32, i32, i32}, []abi.Type{i32})
	m.Memory(uint32(size>>16) + 1)
	m.Func("fetch", nil, nil, nil,
		hosttest.I32Const(200), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(size),
		hosttest.Call(respond), hosttest.Drop)
	return m.Bytes()
}

// A request that is under way when the signal comes gets its answer.
func TestServeDrains(t *testing.T) {
	s := mustServe(t, "[egress]\nallow_private = true\nhigh_ports = true\n")
	arrived, release := make(chan struct{}), make(chan struct{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	upstream := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		w.WriteHeader(http.StatusTeapot)
	})}
	go upstream.Serve(ln)
	defer upstream.Close()
	s.mustDeploy(t, "slow", fetcher(fmt.Sprintf("http://%s/", ln.Addr())))
	answered := make(chan int, 1)
	go func() {
		req, _ := http.NewRequest(http.MethodGet, "http://"+s.web+"/", nil)
		req.Host = "slow.localhost"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	<-arrived
	s.mustSignal(t, syscall.SIGTERM)
	s.mustLog(t, "draining")
	close(release)
	if got := <-answered; got != http.StatusTeapot {
		t.Errorf("the request under way got %d, want 418", got)
	}
	for s.log.Scan() {
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("serve: %v", err)
	}
}

// fetcher answers with the status that a URL has.
func fetcher(url string) []byte {
	i32 := abi.I32
	eight, five := []abi.Type{i32, i32, i32, i32, i32, i32, i32, i32}, []abi.Type{i32, i32, i32, i32, i32}
	var m hosttest.Module
	send := m.Import("mayfly", "fetch_send", eight, []abi.Type{i32})
	status := m.Import("mayfly", "fetch_status", []abi.Type{i32}, []abi.Type{i32})
	respond := m.Import("mayfly", "respond", five, []abi.Type{i32})
	m.Memory(1)
	m.Data(0, []byte("GET"+url))
	var body []byte
	for _, v := range []int32{0, 3, 3, int32(len(url)), 0, 0, 0, 0} {
		body = append(body, hosttest.I32Const(v)...)
	}
	m.Func("fetch", nil, nil, nil, body, hosttest.Call(send), hosttest.Call(status),
		hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.Call(respond), hosttest.Drop)
	return m.Bytes()
}
