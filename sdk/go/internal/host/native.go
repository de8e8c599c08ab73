//go:build !wasip1

package host

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Node is what an invocation sees of its node outside of WebAssembly. The
// methods are the functions of this package.
type Node interface {
	RequestMethod() string
	RequestURL() string
	RequestClient() string
	RequestFields() []Field
	RequestBody() io.ReadCloser
	Respond(status int, fields []Field, body []byte) error
	RespondStream(status int, fields []Field) (io.WriteCloser, error)
	Detach() error
	Abort(reason string)
	Fetch(method, url string, fields []Field, body io.Reader) (Exchange, error)
	OpenKV(binding string) (Namespace, error)
	Env(name string) (string, bool)
	EnvNames() []string
	Log(level int, text string)
	TimeLeft() time.Duration
}

var (
	invoking sync.Mutex // held by the one invocation that runs
	node     atomic.Pointer[Node]
)

// Invoke runs one invocation on n. Others wait until it is over, because in
// WebAssembly each has a world of its own, package variables included.
func Invoke(n Node) {
	invoking.Lock()
	defer invoking.Unlock()
	node.Store(&n)
	defer node.Store(nil)
	run()
}

// Invoking reports whether there is an invocation.
func Invoking() bool { return node.Load() != nil }

func current() Node {
	n := node.Load()
	if n == nil {
		panic("mayfly: there is no request: in tests, send one to a mayflytest.Node")
	}
	return *n
}
