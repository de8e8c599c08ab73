package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/kv/storequeue"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/audit"
	"github.com/mayfly-run/mayfly/runtime/control"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// epoch is what the API's clock shows.
var epoch = time.Unix(1_800_000_000, 0)

// fixture is a node's control API with an administrator's token.
type fixture struct {
	url      string
	admin    string
	store    kv.Store
	registry *deploy.Registry
	observer *telemetry.Observer
	blobs    kv.Blobs
}

type options struct {
	store     kv.Store                  // default: in memory
	queues    func(kv.Queues) kv.Queues // what is around those in memory; default: nothing
	ready     func() error
	stale     func() error // asked before changes
	maxModule int64
	// uploadTime is for the body of a PUT.
	uploadTime time.Duration
	uploadWait time.Duration
	assets     deploy.AssetLimits
	audit      string           // file of the audit log; empty for none
	now        func() time.Time // default: always epoch
	invoke     *control.Invokes
	changes    control.KVTriggers
	failures   control.FailureLimits // default: as good as none
	nodes      control.Nodes         // default: there are no others
	bus        telemetry.Bus         // of node a; default: there are no others
}

func newFixture(t testing.TB, o options) *fixture {
	t.Helper()
	if o.store == nil {
		store := memkv.New(memkv.Config{Now: func() time.Time { return epoch }})
		t.Cleanup(func() { store.Close() })
		o.store = store
	}
	if o.now == nil {
		o.now = func() time.Time { return epoch }
	}
	if o.failures == (control.FailureLimits{}) {
		o.failures = control.FailureLimits{PerAddress: 1 << 20, All: 1 << 20}
	}
	rt, err := runtime.New(t.Context(), runtime.Config{ABIs: []abi.ABI{js.New(), native.New()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close(context.Background()) })
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	keyring, err := secret.Open(t.Context(), secret.Config{Store: kv.Sub(o.store, deploy.KeyRecords), Key: secret.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	messages := memkv.New(memkv.Config{}) // whose clock goes on
	t.Cleanup(func() { messages.Close() })
	var queues kv.Queues
	if queues, err = storequeue.Open(t.Context(), storequeue.Config{Store: messages}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { queues.Close() })
	if o.queues != nil {
		queues = o.queues(queues)
	}
	blobs := memkv.NewBlobs()
	registry, err := deploy.NewRegistry(t.Context(), deploy.Config{
		Secrets: keyring, Queues: queues,
		Store: o.store, Blobs: blobs, AssetLimits: o.assets, Runtime: rt, Services: hosttest.Services(t), Domain: "localhost", Logger: logger, Now: o.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { registry.Close() })
	admin, _, err := registry.CreateToken(t.Context(), deploy.TokenRequest{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	var log *audit.Log
	if o.audit != "" {
		if log, err = audit.Open(audit.Config{Path: o.audit}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { log.Close() })
	}
	consumers := trigger.NewConsumers(trigger.ConsumersConfig{Registry: registry, Queues: queues, Logger: logger,
		Run: func(context.Context, string, string, *host.QueueBatch) (trigger.Ran, error) {
			return trigger.Ran{}, host.Errorf(host.CodeUnsupported, "nothing runs here")
		}})
	t.Cleanup(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		consumers.Shutdown(over)
	})
	observer := telemetry.NewObserver(telemetry.ObserverConfig{})
	if o.bus != nil {
		if err := observer.Join(o.bus, "a"); err != nil {
			t.Fatal(err)
		}
	}
	ledger, err := telemetry.NewLedger(t.Context(), telemetry.LedgerConfig{Observer: observer, Store: o.store, Node: "n1", Now: func() time.Time { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ledger.Close() })
	server := httptest.NewServer(control.New(control.Config{
		Registry: registry, Observer: observer, Ledger: ledger, Audit: log, Logger: logger, Version: "1.2.3", Ready: o.ready, Changes: o.stale, MaxModule: o.maxModule, UploadTime: o.uploadTime, UploadWait: o.uploadWait,
		URL: func(host string) string { return "http://" + host + ":8787" },
		Now: o.now, Failures: o.failures, Invoke: o.invoke, Nodes: o.nodes, Pull: consumers, KVTriggers: o.changes,
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { observer.Close() })
	return &fixture{server.URL, admin, o.store, registry, observer, blobs}
}

// account makes an account and a token for it.
func (f *fixture) account(t testing.TB, name string, hosts ...string) (token string) {
	t.Helper()
	if name != deploy.Local {
		if _, err := f.registry.CreateAccount(t.Context(), name, hosts); err != nil {
			t.Fatal(err)
		}
	}
	token, _, err := f.registry.CreateToken(t.Context(), deploy.TokenRequest{Account: name, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// namespace makes a namespace and returns the path of it.
func (f *fixture) namespace(t testing.TB, account string) (path string) {
	t.Helper()
	ns, err := f.registry.CreateNamespace(t.Context(), account, "test")
	if err != nil {
		t.Fatal(err)
	}
	return "/accounts/" + account + "/storage/kv/namespaces/" + ns.ID
}

// call is one request. The token is the administrator's unless one is given.
type call struct {
	method, path string // below /client/v4 unless it begins with "!"
	token        string
	noToken      bool
	kind         string // Content-Type
	body         string
	headers      []string // names and values in turn
}

// answer is what came back.
type answer struct {
	status   int
	header   http.Header
	body     string
	envelope struct {
		Success  bool             `json:"success"`
		Errors   []apiError       `json:"errors"`
		Messages *json.RawMessage `json:"messages"`
		Result   json.RawMessage  `json:"result"`
		Info     struct {
			Count      int    `json:"count"`
			Page       int    `json:"page"`
			PerPage    int    `json:"per_page"`
			TotalCount int    `json:"total_count"`
			Cursor     string `json:"cursor"`
		} `json:"result_info"`
	}
}

type apiError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (f *fixture) do(t testing.TB, c call) answer {
	t.Helper()
	url := f.url + "/client/v4" + c.path
	if plain, ok := strings.CutPrefix(c.path, "!"); ok {
		url = f.url + plain
	}
	req, err := http.NewRequestWithContext(t.Context(), c.method, url, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.token == "" {
		c.token = f.admin
	}
	if !c.noToken {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.kind != "" {
		req.Header.Set("Content-Type", c.kind)
	}
	for i := 0; i < len(c.headers); i += 2 {
		req.Header.Set(c.headers[i], c.headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(body, &a.envelope); err != nil {
			t.Fatalf("%s %s: the answer is no envelope: %q", c.method, c.path, body)
		}
	}
	return a
}

// ok is do for a request that succeeds; the result is decoded into result.
func (f *fixture) ok(t testing.TB, c call, result any) answer {
	t.Helper()
	a := f.do(t, c)
	if a.status != http.StatusOK || !a.envelope.Success || a.envelope.Errors == nil || a.envelope.Messages == nil {
		t.Fatalf("%s %s: got status %d: %s", c.method, c.path, a.status, a.body)
	}
	if result != nil {
		if err := json.Unmarshal(a.envelope.Result, result); err != nil {
			t.Fatalf("decode %s: %v", a.envelope.Result, err)
		}
	}
	return a
}

// refused checks a request that fails.
func (f *fixture) refused(t testing.TB, c call, status, code int, msg string) {
	t.Helper()
	a := f.do(t, c)
	var got apiError
	if len(a.envelope.Errors) == 1 {
		got = a.envelope.Errors[0]
	}
	if a.status != status || a.envelope.Success || got != (apiError{code, msg}) {
		t.Errorf("%s %s:\n got %d %s\nwant %d {%d %s}", c.method, c.path, a.status, a.body, status, code, msg)
	}
}

// guest is a module that does nothing and differs from others by its number.
func guest(number byte) string {
	var m hosttest.Module
	m.Memory(1)
	m.Data(0, []byte{number})
	m.Func("fetch", nil, nil, nil)
	return string(m.Bytes())
}

// consuming is a guest that handles batches of queues as well.
func consuming() string {
	var m hosttest.Module
	m.Memory(1)
	m.Func("fetch", nil, nil, nil)
	m.Func("queue", nil, nil, nil)
	return string(m.Bytes())
}

// part is a part of a form.
type part struct{ name, kind, body string }

// form encodes parts and returns the body with its Content-Type.
func form(t testing.TB, parts ...part) (body, kind string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p.name + `"; filename="` + p.name + `"`}}
		if p.kind != "" {
			h.Set("Content-Type", p.kind)
		}
		part, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(part, p.body)
	}
	w.Close()
	return b.String(), w.FormDataContentType()
}

// upload is the call that deploys a form with metadata and a module.
func upload(t testing.TB, account, name, metadata, module string) call {
	t.Helper()
	body, kind := form(t, part{"metadata", "application/json", metadata}, part{"main.wasm", "application/wasm", module})
	return call{method: "PUT", path: "/accounts/" + account + "/workers/scripts/" + name, kind: kind, body: body}
}
