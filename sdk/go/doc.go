// Package mayfly is for writing Functions that run on a Mayfly node.
//
// A Function registers a handler and is built as a WebAssembly reactor:
//
//	package main
//
//	import "github.com/mayfly-run/mayfly/sdk/go"
//
//	func init() { mayfly.Handle(hello) }
//
//	func hello(req *mayfly.Request) (*mayfly.Response, error) {
//		return mayfly.Text(200, "Hello from "+req.Path()+"\n"), nil
//	}
//
//	func main() {} // required by Go, never called
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o hello.wasm .
//
// # What to know
//
// Every request sees the program as it was after its init functions: what a
// request leaves in package variables is gone in the next. State belongs into
// [KV]. Values made in init may be shared by all requests, so nothing random
// or secret should be made there.
//
// There is one thread. Goroutines, time.Sleep and select work, and two
// goroutines that wait for [Fetch] or a [Namespace] wait at the same time; but
// a goroutine that only computes keeps the others waiting, and so does writing
// to a body that the other side doesn't read.
//
// When the handler has returned and the response is out, the invocation is
// over, whatever other goroutines are doing. [WaitUntil] is for work that goes on.
//
// A panic ends the invocation: the client gets status 500, the log the stack.
// The package doesn't recover it, so that the node counts an exception.
// An error that the handler returns is logged and becomes a plain 500.
//
// # Packages
//
// mayflyhttp runs any http.Handler and lets http.Client send requests,
// mayflylog is for log/slog, mayflyversion tells which Version runs, and mayflytest runs a Function under go test.
// They are apart because linking net/http or log/slog makes a module larger:
// a Function that imports only this package is one of about 2 MB.
//
// The functions of this package may be called from any goroutine while a
// request is handled. Calling them when none is, panics outside of WebAssembly.
package mayfly
