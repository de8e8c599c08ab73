package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/kv/natsserver/natstest"
	"github.com/mayfly-run/mayfly/kv/porttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// mustServer starts a NATS server as others run one, and returns its port.
func mustServer(t *testing.T, opts *server.Options) (port int) {
	t.Helper()
	opts.Host, opts.Port, opts.JetStream, opts.StoreDir = "127.0.0.1", -1, true, t.TempDir()
	opts.SyncAlways, opts.NoSigs, opts.NoLog, opts.TLSTimeout, opts.AuthTimeout = true, true, true, 10, 10
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	return s.Addr().(*net.TCPAddr).Port
}

// access is who is let in by some server.
type access struct {
	name   string
	server server.Options
	right  string   // lines of [cluster], %d is the port
	wrong  []string // others, each with what the error says to do
	advice []string
}

func accesses(t *testing.T) []access {
	ours, theirs := natstest.NewAuthority(t), natstest.NewAuthority(t)
	cert, key := ours.Issue(t, "client")
	strange, strangeKey := theirs.Issue(t, "client")
	operator, other := natstest.NewOperator(t), natstest.NewOperator(t)
	creds := server.Options{}
	operator.Set(&creds)
	url := "url = 'tls://127.0.0.1:%d'\n"
	plain := "url = 'nats://127.0.0.1:%d'\n"
	withTLS := func(url, ca, cert, key string) string {
		return url + fmt.Sprintf("tls = { ca = %q, cert = %q, key = %q }\n", ca, cert, key)
	}
	const unknown, refused = "give its certificate as tls.ca", "give the credentials, the user and password, or the token that the server knows"
	return []access{
		{name: "TLS", server: server.Options{TLSConfig: ours.TLS(t, "127.0.0.1", false)},
			right:  url + fmt.Sprintf("tls = { ca = %q }\n", ours.CA()),
			wrong:  []string{url, plain, url + fmt.Sprintf("tls = { ca = %q }\n", theirs.CA())},
			advice: []string{unknown, unknown, unknown}},
		{name: "TLS of another host", server: server.Options{TLSConfig: ours.TLS(t, "nats.example", false)},
			wrong:  []string{url + fmt.Sprintf("tls = { ca = %q }\n", ours.CA())},
			advice: []string{"is not for the host in the URL"}},
		{name: "TLS of both", server: server.Options{TLSConfig: ours.TLS(t, "127.0.0.1", true)},
			right:  withTLS(url, ours.CA(), cert, key),
			wrong:  []string{url + fmt.Sprintf("tls = { ca = %q }\n", ours.CA()), withTLS(url, ours.CA(), strange, strangeKey)},
			advice: []string{"tls.cert and tls.key", "tls.cert and tls.key"}},
		{name: "no TLS", right: plain,
			wrong:  []string{url, plain + fmt.Sprintf("tls = { ca = %q }\n", ours.CA())},
			advice: []string{"the server has no TLS", "the server has no TLS"}},
		{name: "user", server: server.Options{Username: "u", Password: "right"},
			right:  plain + "user = 'u'\npassword = 'right'\n",
			wrong:  []string{plain, plain + "user = 'u'\npassword = 'wrong'\n", plain + "token = 'right'\n"},
			advice: []string{refused, refused, refused}},
		{name: "token", server: server.Options{Authorization: "right"},
			right:  plain + "token = 'right'\n",
			wrong:  []string{plain + "token = 'wrong'\n"},
			advice: []string{refused}},
		{name: "credentials", server: creds,
			right:  plain + fmt.Sprintf("credentials = %q\n", operator.Credentials(t)),
			wrong:  []string{plain, plain + fmt.Sprintf("credentials = %q\n", other.Credentials(t)), plain + "credentials = 'missing.creds'\n"},
			advice: []string{refused, refused, "missing.creds"}},
		{name: "user without permissions", server: server.Options{Users: []*server.User{{Username: "u", Password: "p",
			Permissions: &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"mayfly.>"}}}}}},
			wrong:  []string{plain + "user = 'u'\npassword = 'p'\n"},
			advice: []string{"let the user publish to $JS.> and mayfly.>"}},
	}
}

// TestClusterAccess: nodes come to NATS servers by all that servers may want to know,
// and those that are refused end soon, say what to do, and leave nothing behind.
func TestClusterAccess(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes many nodes, one after the other: run it without -short")
	}
	t.Setenv("MAYFLY_KEK", secret.NewKey().Encode())
	var refused sync.WaitGroup // all at the same time: each asks again for seconds
	defer refused.Wait()
	for _, a := range accesses(t) {
		port := mustServer(t, &a.server)
		for i, text := range a.wrong {
			cfg := mustParse(t, t.TempDir(), text, port)
			refused.Go(func() { wantRefused(t, fmt.Sprint(a.name, " ", i), cfg, a.advice[i]) })
		}
		if a.right == "" {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			n := mustStart(t, mustParse(t, t.TempDir(), a.right, port))
			mustDeploy(t, n, "hello", hello("hi"))
			if status, body, err := get(n, "hello.localhost"); status != 200 || body != "hi" {
				t.Errorf("got %d, %q, %v", status, body, err)
			}
		})
	}
}

// mustParse reads the configuration of a node on a server.
func mustParse(t *testing.T, dir, text string, port int) node.Config {
	t.Helper()
	cfg, err := node.ParseConfig(filepath.Join(dir, "node.toml"), []byte("[cluster]\n"+strings.ReplaceAll(text, "%d", fmt.Sprint(port))))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Data, cfg.Listen, cfg.Admin, cfg.Logger = filepath.Join(dir, "data"), "127.0.0.1:0", "127.0.0.1:0", slog.New(slog.DiscardHandler)
	return cfg
}

// wantRefused starts a node that gives up by itself, and can be started again.
func wantRefused(t *testing.T, name string, cfg node.Config, want string) {
	for range 2 {
		n, err := node.Start(t.Context(), cfg)
		if err == nil {
			t.Errorf("%s: it started; want an error with %q", name, want)
			n.Shutdown(context.Background())
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

// TestCopyRefused: a node that has a copy, and is refused later, serves from it, takes no
// writes, and says why.
func TestCopyRefused(t *testing.T) {
	t.Setenv("MAYFLY_KEK", secret.NewKey().Encode())
	port := mustServer(t, &server.Options{Username: "u", Password: "right"})
	dir := t.TempDir()
	text := "url = 'nats://127.0.0.1:%d'\nuser = 'u'\npassword = '"
	n := mustStart(t, mustParse(t, dir, text+"right'", port))
	mustDeploy(t, n, "hello", hello("hi"))
	if err := n.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := mustParse(t, dir, text+"wrong'", port)
	var log logtest.Buffer
	cfg.Logger = log.Logger()
	n, err := node.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Shutdown(context.Background()) })
	if status, body, err := get(n, "hello.localhost"); status != 200 || body != "hi" {
		t.Errorf("got %d, %q, %v", status, body, err)
	}
	const advice = "give the credentials, the user and password"
	if got := log.String(); !strings.Contains(got, "going on with the copy") || !strings.Contains(got, advice) {
		t.Errorf("got\n%s\nwant %q", got, advice)
	}
	_, err = n.Registry().Deploy(t.Context(), deploy.Local, "new", deploy.Upload{Module: hello("hi")})
	if !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("a deploy: got %v, want kv.ErrUnavailable", err)
	}
}

// TestClusterByKey: a node without a server of its own comes to that of another node, over
// TLS, by the key that all have.
func TestClusterByKey(t *testing.T) {
	if testing.Short() {
		t.Skip("several nodes take long to start: run it without -short")
	}
	setKeys(t)
	ours, theirs := natstest.NewAuthority(t), natstest.NewAuthority(t)
	withTLS := func(a *natstest.Authority) string {
		cert, key := a.Issue(t, "127.0.0.1")
		return fmt.Sprintf("tls = { ca = %q, cert = %q, key = %q }\n", a.CA(), cert, key)
	}
	_, port, err := net.SplitHostPort(porttest.Addresses(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	first := mustStart(t, mustParse(t, t.TempDir(), "embedded = true\nlisten = '127.0.0.1:"+port+"'\n"+withTLS(ours), 0))
	mustDeploy(t, first, "hello", hello("hi"))
	url := "url = 'tls://127.0.0.1:" + port + "'\n"
	second := mustStart(t, mustParse(t, t.TempDir(), url+withTLS(ours), 0))
	if status, body, err := get(second, "hello.localhost"); status != 200 || body != "hi" {
		t.Errorf("got %d, %q, %v", status, body, err)
	}
	wantRefused(t, "certificates of another authority", mustParse(t, t.TempDir(), url+withTLS(theirs), 0), "give its certificate as tls.ca")
	t.Setenv("MAYFLY_CLUSTER_SECRET", secret.NewKey().Encode())
	wantRefused(t, "another key", mustParse(t, t.TempDir(), url+withTLS(ours), 0), "the key of the cluster")
	t.Setenv("MAYFLY_CLUSTER_SECRET", "")
	wantRefused(t, "no key", mustParse(t, t.TempDir(), url+withTLS(ours), 0), "the key of the cluster")
}
