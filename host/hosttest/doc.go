// Package hosttest is the kit with which every ABI is tested: it builds small
// guests, runs guests on a real engine as a Runtime does, one Invocation at a
// time, and records what they answered and logged.
//
// Start reading at Run. Load and Guest.Instantiate are for tests that invoke a
// guest or one instance several times.
package hosttest
