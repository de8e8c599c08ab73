package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/cli"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test's own binary the mayfly that tests start.
func TestMain(m *testing.M) {
	mayfly := func() {
		os.Exit(cli.Main(os.Args[1:], cli.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	testscript.Main(m, map[string]func(){
		"mayfly":              mayfly,
		"mayfly-unprivileged": func() { becomeNobody(); mayfly() },
	})
}

// becomeNobody gives up what root may do beyond others.
func becomeNobody() {
	if os.Getuid() != 0 {
		return
	}
	const nobody = 65534
	if err := errors.Join(syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
		panic(err)
	}
}

// Scripts add to the usual commands:
//
//	node [DIR]       run a node on a directory, data; the script's mayfly works with it
//	tiny FILE TEXT   write a module that answers every request with a text
//	tells FILE       write a module that answers with its variable or secret KEY
//	exits CODE CMD   run a command that ends with this code
//	eventually TEXT CMD  run a command until its output is this text, for three minutes
//	get HOST PATH    write the node's answer to standard output
func TestScripts(t *testing.T) {
	goEnv := mustGoEnv(t, "GOCACHE", "GOMODCACHE", "GOPATH")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, append(goEnv, "GOPROXY=off", "GOFLAGS=")...)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"node":  scriptNode,
			"tiny":  scriptTiny,
			"tells": scriptTells,
			"exits": scriptExits,
			"get":   scriptGet,

			"eventually": scriptEventually,
		},
	})
}

func mustGoEnv(t *testing.T, names ...string) (env []string) {
	t.Helper()
	for _, name := range names {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatalf("go env: %v", err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(out)))
	}
	return env
}

// scriptNode runs a node in this process until the script ends: node [DIR [CONFIG]].
func scriptNode(ts *testscript.TestScript, _ bool, args []string) {
	data := ts.MkAbs("data")
	command := []string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}
	if len(args) > 0 {
		data = ts.MkAbs(args[0])
	}
	if len(args) > 1 {
		command = append(command, "--config", ts.MkAbs(args[1]))
	}
	p := start(append(command, "--data", data)...)
	ts.Defer(func() {
		if code := p.end(); code != 0 {
			panic(fmt.Sprintf("serve ended with %d: %s", code, &p.log))
		}
	})
	var web, admin string
	if _, err := fmt.Fscanf(p.out, "ready http=%s admin=%s\n", &web, &admin); err != nil {
		ts.Fatalf("read the line that says ready: %v: %s", err, &p.log)
	}
	token, err := os.ReadFile(filepath.Join(data, "admin.token"))
	ts.Check(err)
	ts.Setenv("MAYFLY_API", "http://"+admin+"/client/v4")
	ts.Setenv("MAYFLY_API_TOKEN", strings.TrimSpace(string(token)))
	ts.Setenv("WEB", web)
}

// program is a Run that goes on in this process.
type program struct {
	out    *io.PipeReader // ends with the program
	log    logtest.Buffer // standard error
	cancel context.CancelFunc
	code   chan int
}

func start(args ...string) *program {
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	p := &program{out: out, cancel: cancel, code: make(chan int, 1)}
	go func() {
		p.code <- cli.Run(ctx, args, cli.Stdio{In: strings.NewReader(""), Out: in, Err: &p.log})
		in.Close()
	}()
	return p
}

// end interrupts the program and returns its exit code.
func (p *program) end() int {
	p.cancel()
	return <-p.code
}

func scriptTiny(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), tiny(args[1]), 0o644))
}

func scriptTells(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), tellsSecret(false), 0o644))
}

// tiny is a Function that answers every request with text.
func tiny(text string) []byte {
	const header = "content-type\x00text/plain\x00"
	i32 := abi.I32
	m := new(hosttest.Module)
	respond := m.Import("mayfly", "respond", []abi.Type{i32, i32, i32, i32, i32}, []abi.Type{i32})
	m.Memory(1)
	m.Data(0, []byte(header+text))
	m.Func("fetch", nil, nil, nil,
		hosttest.I32Const(200), hosttest.I32Const(0), hosttest.I32Const(int32(len(header))),
		hosttest.I32Const(int32(len(header))), hosttest.I32Const(int32(len(text))), hosttest.Call(respond), hosttest.Drop)
	return m.Bytes()
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func scriptEventually(ts *testscript.TestScript, _ bool, args []string) {
	var last string
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		last = ts.ReadFile("stdout")
		if err == nil && strings.TrimSpace(last) == args[0] {
			return
		}
	}
	ts.Fatalf("it never was %q; the last was %q", args[0], last)
}

func scriptGet(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodGet, "http://"+ts.Getenv("WEB")+args[1], nil)
	ts.Check(err)
	req.Host = args[0]
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	fmt.Fprintf(ts.Stdout(), "%d\n", resp.StatusCode)
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
}
