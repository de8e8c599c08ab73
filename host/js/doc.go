// Package js is the ABI of JavaScript Workers. Its guest is always the same: an
// engine compiled to WebAssembly (package runtime/engine), in which the platform
// below platform/ offers what Workers expect. What differs is the Program that the
// engine loads while it is initialised.
//
// Between the two stand few functions. JavaScript calls the host by the number of
// an operation (ops.go), with an integer, a text and bytes, and gets an integer, a
// text or bytes. The host calls JavaScript by events (events.go): a request, and
// then each operation that has finished, of which several may be under way. Host
// functions never call the guest: the guest asks for the next event.
//
// worker.js has the handler of events, and is the place to begin reading there.
package js
