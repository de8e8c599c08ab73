// Package runtime turns the bytes of a module into answers: validate, rewrite,
// compile, take a snapshot, acquire, invoke, release. It owns the wazero runtime
// and is the only package that runs guest code.
//
// Start reading at Runtime.Load (from bytes to a Module), Module.Prepare (to a
// Snapshot) and Snapshot.Invoke (from a Call to an Outcome).
package runtime
