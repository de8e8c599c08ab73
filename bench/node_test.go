package bench_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/compile/compiletest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
	"github.com/valyala/fasthttp"
)

// aNode is a node as users have it, with its code on disk.
type aNode struct {
	*node.Node
	client *fasthttp.HostClient
}

func mustNode(t testing.TB, dir string, edit func(*node.Config)) *aNode {
	t.Helper()
	cfg := node.Config{Data: dir, Listen: "127.0.0.1:0", Compile: compiletest.Command, Logger: slog.New(slog.DiscardHandler)}
	edit(&cfg)
	n, err := node.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &aNode{n, &fasthttp.HostClient{Addr: n.HTTPAddr(), MaxConns: 256, ReadTimeout: time.Minute}}
}

func (n *aNode) mustDeploy(t testing.TB, name string, module []byte, limits deploy.Limits) {
	t.Helper()
	up := deploy.Upload{Module: module, Settings: deploy.Settings{Limits: limits}}
	if _, err := n.Registry().Deploy(t.Context(), deploy.Local, name, up); err != nil {
		t.Fatal(err)
	}
}

func (n *aNode) close(t testing.TB) {
	if err := n.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// ask asks a Function what g is asked, and returns the status, whether the answer
// is g's, and how long that took.
func (n *aNode) ask(name string, g guests.Guest) (status int, right bool, took time.Duration, err error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.Header.SetMethod(g.Method)
	req.SetRequestURI("http://" + name + ".localhost/")
	req.SetBodyString(g.Body)
	began := time.Now()
	err = n.client.Do(req, resp)
	return resp.StatusCode(), string(resp.Body()) == g.Answer, time.Since(began), err
}

// mustAsk is ask for an answer that has to be right.
func (n *aNode) mustAsk(t testing.TB, name string, g guests.Guest) time.Duration {
	t.Helper()
	status, right, took, err := n.ask(name, g)
	if err != nil || status != 200 || !right {
		t.Errorf("%s: status %d, the right answer is %v, %v", name, status, right, err)
	}
	return took
}

// wallLimits end a guest by its wall time.
func wallLimits(wall time.Duration) deploy.Limits {
	return deploy.Limits{WallMillis: wall.Milliseconds(), CPUMillis: host.DefaultLimits().CPU.Milliseconds()}
}
