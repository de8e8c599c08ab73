// Package hosttest is the kit with which every ABI is tested: it builds small
// guests, runs guests on a real engine as a Runtime does, one Invocation at a
// time, and records what they answered and logged.
//
// Start reading at Run. Player is for tests that play the guest themselves,
// function by function; Load and Guest.Instantiate for those that invoke a
// guest or one instance several times.
package hosttest
