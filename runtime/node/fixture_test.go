package node_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/compile/compiletest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/mayfly-run/mayfly/runtime/worker/workertest"
)

// isolated is a node with guests in processes of their own.
func isolated(cfg node.Config) node.Config {
	cfg.Isolation, cfg.Compile, cfg.Worker = node.IsolationProcess, compiletest.Command, workertest.Command
	return cfg
}

// client gives up on a node that hangs.
var client = &http.Client{Timeout: 2 * time.Minute}

func mustStart(t *testing.T, cfg node.Config) *node.Node {
	t.Helper()
	cfg.Listen, cfg.Admin, cfg.Logger = "127.0.0.1:0", "127.0.0.1:0", slog.New(slog.DiscardHandler)
	if cfg.Data == "" {
		cfg.Data = t.TempDir()
	}
	if workertest.Asked() {
		cfg = isolated(cfg)
	}
	n, err := node.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Shutdown(context.Background()) })
	return n
}

// patiently does something again while the servers of a cluster agree on who leads.
func patiently(t *testing.T, do func() error) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := do()
		if err == nil {
			return
		}
		if !errors.Is(err, kv.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func mustDeploy(t *testing.T, n *node.Node, name string, wasm []byte) {
	t.Helper()
	patiently(t, func() error {
		_, err := n.Registry().Deploy(t.Context(), deploy.Local, name, deploy.Upload{Module: wasm})
		return err
	})
}

// get asks a Function of a node.
func get(n *node.Node, host string) (status int, body string, err error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+n.HTTPAddr()+"/", nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = host
	return do(req)
}

func do(req *http.Request) (status int, body string, err error) {
	resp, body, err := answered(req)
	if err != nil {
		return 0, "", err
	}
	return resp.StatusCode, body, nil
}

// answered returns the answer to a request, whose body was read.
func answered(req *http.Request) (resp *http.Response, body string, err error) {
	resp, err = client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp, string(data), err
}

// asAdmin asks the control API of a node with the token in a data directory.
func asAdmin(t *testing.T, n *node.Node, data, method, path, body string) (resp *http.Response, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+n.AdminAddr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+mustRead(t, data, "admin.token"))
	if resp, text, err = answered(req); err != nil {
		t.Fatal(err)
	}
	return resp, text
}

// guest is a module whose fetch is what body makes of the functions it imports
// from the native ABI. Its memory begins with text.
func guest(text string, body func(call map[string]uint32) [][]byte) []byte {
	var m hosttest.Module
	call := m.ImportAll(native.New().Modules()[0])
	m.Memory(1)
	m.Data(0, []byte(text))
	m.Func("fetch", nil, nil, nil, body(call)...)
	return m.Bytes()
}

func numbers(values ...int32) (ops []byte) {
	for _, v := range values {
		ops = append(ops, hosttest.I32Const(v)...)
	}
	return ops
}

func hello(text string) []byte {
	return guest(text, func(call map[string]uint32) [][]byte {
		return [][]byte{numbers(200, 0, 0, 0, int32(len(text))), hosttest.Call(call["respond"]), hosttest.Drop}
	})
}

// clientGuest answers with the client's address.
func clientGuest() []byte {
	return guest("", func(call map[string]uint32) [][]byte {
		return [][]byte{numbers(200, 0, 0, 0), numbers(0, 100), hosttest.Call(call["request_client"]), hosttest.Call(call["respond"]), hosttest.Drop}
	})
}

// fetchGuest answers with the status that a URL has.
func fetchGuest(url string) []byte {
	return guest("GET"+url, func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(0, 3, 3, int32(len(url)), 0, 0, 0, 0), hosttest.Call(call["fetch_send"]),
			hosttest.Call(call["fetch_status"]), numbers(0, 0, 0, 0), hosttest.Call(call["respond"]), hosttest.Drop,
		}
	})
}
