package wasi

import "github.com/mayfly-run/mayfly/host/abi"

// sockFuncs are the functions on sockets, of which there are none: ENOTSOCK for
// the standard streams, EBADF for all others.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#sock_accept
// and the three that follow it there.
func sockFuncs() []abi.Func {
	no := unfit(0, enotsock)
	return []abi.Func{
		function("sock_accept", no, i32, i32, i32),
		function("sock_recv", no, i32, i32, i32, i32, i32, i32),
		function("sock_send", no, i32, i32, i32, i32, i32),
		function("sock_shutdown", no, i32, i32),
	}
}
