package node_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/compile/compiletest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/mayfly-run/mayfly/runtime/worker/workertest"
)

// mustIsolate starts a node with workers, where that is possible.
func mustIsolate(t *testing.T, data string) *node.Node {
	t.Helper()
	if goruntime.GOOS != "linux" {
		t.Skip("worker processes need Linux")
	}
	return mustStart(t, isolated(node.Config{Data: data}))
}

// A worker has the secrets of its own Function, and neither those of others nor the
// node's key and tokens.
func TestWorkersSecrets(t *testing.T) {
	data := t.TempDir()
	n := mustIsolate(t, data)
	if _, err := n.Registry().CreateAccount(t.Context(), "other", nil); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{deploy.Local: rand.Text(), "other": rand.Text()} // not in the program, which workers are as well
	for account, text := range secrets {
		if _, err := n.Registry().Deploy(t.Context(), account, "tells", deploy.Upload{Module: tells(), Secrets: map[string]*string{"KEY": &text}}); err != nil {
			t.Fatal(err)
		}
	}
	key := mustKey(t, data)
	found := map[string]bool{}
	for range 5 { // as a worker ends that nobody needs for a minute
		for account, host := range map[string]string{deploy.Local: "tells.localhost", "other": "tells.other.localhost"} {
			if status, body, err := get(n, host); status != 200 || body != secrets[account] {
				t.Fatalf("%s: %d %q, %v", account, status, body, err)
			}
		}
		for pid := range workertest.Running(t) {
			holds(t, pid, secrets, key, found)
		}
		if len(found) == len(secrets) {
			return
		}
	}
	t.Errorf("workers have the secrets of %v, want one for each account", found)
}

// holds notes whose secrets a worker has: one account's at most, and not the node's key.
func holds(t *testing.T, pid int, secrets map[string]string, key []byte, found map[string]bool) {
	t.Helper()
	seen := memoryOf(t, pid)
	var of []string
	for account, text := range secrets {
		if seen([]byte(text)) {
			of = append(of, account)
			found[account] = true
		}
	}
	if len(of) > 1 {
		t.Errorf("one worker has the secrets of %v", of)
	}
	if seen(key) {
		t.Errorf("a worker with the secrets of %v has the key of secrets", of)
	}
}

// Workers outlive what the program does by itself in each of its processes, such as
// packages that look at their process every second.
func TestWorkersLiveOn(t *testing.T) {
	n := mustIsolate(t, "")
	mustDeploy(t, n, "hello", hello("hello"))
	before := workertest.Running(t)
	if status, body, err := get(n, "hello.localhost"); status != 200 {
		t.Fatalf("%d %q, %v", status, body, err)
	}
	time.Sleep(1500 * time.Millisecond) // later is as good
	for pid := range workertest.Running(t) {
		if !before[pid] {
			return
		}
	}
	t.Error("the worker ended")
}

// mustKey is the key-encryption key in a data directory.
func mustKey(t *testing.T, data string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "kek"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		t.Fatalf("a key of %d bytes, %v", len(key), err)
	}
	return key
}

// memoryOf returns what looks for bytes in all that a process may write to.
func memoryOf(t *testing.T, pid int) func(text []byte) bool {
	t.Helper()
	none := func([]byte) bool { return false }
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return none // one that was needed for a moment has ended
	}
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return none
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mem.Close() })
	return func(text []byte) bool {
		for line := range strings.Lines(string(maps)) {
			var from, to int64
			if n, _ := fmt.Sscanf(line, "%x-%x rw", &from, &to); n == 2 && to-from <= 256<<20 && has(mem, from, to, text) { // what is larger is reserved
				return true
			}
		}
		return false
	}
}

// has looks for text between two places of a file. What can't be read is not there.
func has(file io.ReaderAt, from, to int64, text []byte) bool {
	b := make([]byte, 1<<20)
	for ; from < to; from += int64(len(b) - len(text)) {
		n, _ := file.ReadAt(b[:min(int64(len(b)), to-from)], from)
		if bytes.Contains(b[:n], text) {
			return true
		}
	}
	return false
}

// What can't be had is refused at the start.
func TestIsolationRefused(t *testing.T) {
	for name, cfg := range map[string]node.Config{
		"simple engine":   {Simple: true, Compile: compiletest.Command, Worker: workertest.Command},
		"no compiler":     {Worker: workertest.Command},
		"no such program": {Compile: compiletest.Command},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Data, cfg.Listen, cfg.Isolation = t.TempDir(), "127.0.0.1:0", node.IsolationProcess
			n, err := node.Start(t.Context(), cfg)
			if err == nil {
				n.Shutdown(t.Context())
			}
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("got %v, want that it is not supported", err)
			}
		})
	}
}
