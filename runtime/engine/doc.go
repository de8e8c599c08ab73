// Package engine makes the module that runs JavaScript: QuickJS-NG as a WASI
// reactor, as the Go module go-quickjs-wasi-reactor carries it, and a few functions
// that join it to the host functions of package js. They are written here as
// WebAssembly, since the reactor imports nothing that JavaScript could call.
//
// The result is a module like one that a user uploads: it is validated, rewritten
// and metered as those are. JavaScript starts it; glue.go and call.go are what
// Join adds. The C functions are those of quickjs.h:
// https://github.com/quickjs-ng/quickjs/blob/v0.15.1/quickjs.h
package engine
