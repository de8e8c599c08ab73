// Package host is the SDK's one way to the node: functions that cross over,
// each written twice.
//
// In a WebAssembly build (GOOS=wasip1) they call what the module imports from
// "mayfly"; the specification is host/native/ABI.md at the root of the
// repository. In any other build they ask the [Node] of the invocation, which
// mayflytest provides.
//
// They are functions and no interface, because each import that is left in a
// module has a price (respond_stream and wait_until cost a thread) and the
// linker drops a function that nobody calls, whatever reflection is in use.
package host
