package mayflytest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// wallTime is what a node grants by default.
const wallTime = 30 * time.Second

// invocation is one request, as host.Node shows it to the SDK.
type invocation struct {
	node  *Node
	w     http.ResponseWriter
	r     *http.Request
	start time.Time

	mu       sync.Mutex // guards the fields below
	state    state
	response response
	fetches  []*exchange
	fetching sync.WaitGroup
}

type state int

const (
	open     state = iota
	answered       // respond was called
	sent           // the response went out
)

type response struct {
	status int
	fields []host.Field
	body   []byte
}

func (i *invocation) RequestMethod() string { return i.r.Method }

func (i *invocation) RequestURL() string {
	u := *i.r.URL
	if u.Host == "" {
		u.Scheme, u.Host = "http", i.r.Host
	}
	return u.String()
}

func (i *invocation) RequestClient() string {
	ip, _, err := net.SplitHostPort(i.r.RemoteAddr)
	if err != nil {
		return i.r.RemoteAddr
	}
	return ip
}

func (i *invocation) RequestFields() []host.Field {
	return append([]host.Field{{"host", i.r.Host}}, fromHeader(i.r.Header)...)
}

func (i *invocation) RequestBody() io.ReadCloser {
	if i.r.Body == nil || i.r.Body == http.NoBody {
		return nil
	}
	return requestBody{i}
}

// requestBody can be read until the response has been sent by WaitUntil.
type requestBody struct{ i *invocation }

func (b requestBody) Read(p []byte) (int, error) {
	b.i.mu.Lock()
	gone := b.i.state == sent && b.i.response.status != 0
	b.i.mu.Unlock()
	if gone {
		return 0, &host.Error{Code: host.State, Message: "the response was sent"}
	}
	return b.i.r.Body.Read(p)
}

func (b requestBody) Close() error { return b.i.r.Body.Close() }

// Scheduled is for scheduled events alone.
func (i *invocation) Scheduled() (string, int64) { return "", 0 }

func (i *invocation) Respond(status int, fields []host.Field, body []byte) error {
	if err := checkHead(status, fields); err != nil {
		return err
	}
	if err := i.advance(open, answered); err != nil {
		return err
	}
	i.response = response{status, fields, body}
	return nil
}

func (i *invocation) RespondStream(status int, fields []host.Field) (io.WriteCloser, error) {
	if err := checkHead(status, fields); err != nil {
		return nil, err
	}
	if err := i.advance(open, sent); err != nil {
		return nil, err
	}
	setHeader(i.w.Header(), fields)
	i.w.WriteHeader(status)
	body := streamBody{i.w, http.NewResponseController(i.w)}
	body.flush.Flush()
	return body, nil
}

// advance goes from one state to the next, or explains why that can't be.
func (i *invocation) advance(from, to state) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.state != from {
		return &host.Error{Code: host.State, Message: fmt.Sprintf("there is %s", i.state)}
	}
	i.state = to
	return nil
}

func (s state) String() string {
	if s == open {
		return "no answer yet"
	}
	return "an answer already"
}

func (i *invocation) Detach() error {
	i.mu.Lock()
	state := i.state
	i.mu.Unlock()
	if state == open {
		return &host.Error{Code: host.State, Message: "there is no answer yet"}
	}
	i.send()
	return nil
}

// send writes the answer that Respond has set, if it isn't out yet.
func (i *invocation) send() {
	if i.advance(answered, sent) != nil {
		return
	}
	setHeader(i.w.Header(), i.response.fields)
	i.w.WriteHeader(i.response.status)
	i.w.Write(i.response.body)
	http.NewResponseController(i.w).Flush()
}

func (i *invocation) Abort(reason string) {
	i.node.log(3, reason)
	panic(http.ErrAbortHandler)
}

// end gives up what the handler left open.
func (i *invocation) end() {
	i.mu.Lock()
	for _, x := range i.fetches {
		x.Close()
	}
	i.mu.Unlock()
	i.fetching.Wait()
}

func (i *invocation) OpenKV(binding string, strong bool) (host.Namespace, error) {
	kv, ok := i.node.bound(binding)
	if !ok {
		return nil, &host.Error{Code: host.NotFound}
	}
	return namespace{kv, strong}, nil
}

func (i *invocation) Env(name string) (string, bool) {
	value, ok := i.node.Env[name]
	return value, ok
}

func (i *invocation) EnvNames() []string         { return i.node.envNames() }
func (i *invocation) Log(level int, text string) { i.node.log(level, text) }

func (i *invocation) TimeLeft() time.Duration {
	return max(0, wallTime-time.Since(i.start))
}

// streamBody passes on each write at once.
type streamBody struct {
	w     io.Writer
	flush *http.ResponseController
}

func (b streamBody) Write(p []byte) (int, error) {
	n, err := b.w.Write(p)
	if err == nil {
		err = b.flush.Flush()
	}
	if err != nil {
		return n, &host.Error{Code: host.Canceled, Message: err.Error()}
	}
	return n, nil
}

func (b streamBody) Close() error { return nil }
