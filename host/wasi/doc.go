// Package wasi is WASI preview 1 for Invocations: arguments, environment,
// standard streams, clocks, randomness, waiting and exit, all drawn from the
// Call. There is no file system and no network: guests find a system without
// preopened directories, whose only descriptors are 0, 1 and 2.
//
// Every function of the specification is present, so that the modules of any
// toolchain link. What an Invocation changes (a closed descriptor, a flag, a
// line begun) is kept in the Call and gone with it. A pointer outside the
// guest's memory is a trap (abi.Fault), where other hosts return EFAULT.
//
// Start reading at Module; each area has a file of its own. An ABI whose guests
// import this module calls Flush when a guest has ended.
//
// Specification: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
package wasi
