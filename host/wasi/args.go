package wasi

import "github.com/mayfly-run/mayfly/host/abi"

func argsFuncs() []abi.Func {
	return []abi.Func{
		function("args_get", argsGet, i32, i32),
		function("args_sizes_get", argsSizesGet, i32, i32),
		function("environ_get", environGet, i32, i32),
		function("environ_sizes_get", environSizesGet, i32, i32),
	}
}

// argsGet writes the command line.
//
//   - argv: where a pointer to each argument goes
//   - buf: where the arguments go, each ended by NUL
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#args_get
func argsGet(g abi.Guest, a abi.Args) errno { return putStrings(g, g.Args, a.U32(0), a.U32(1)) }

// argsSizesGet writes how much argsGet needs.
//
//   - count: where the number of arguments goes
//   - size: where their length in bytes goes, each with its NUL
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#args_sizes_get
func argsSizesGet(g abi.Guest, a abi.Args) errno { return putSizes(g, g.Args, a.U32(0), a.U32(1)) }

// environGet is argsGet for the environment, as KEY=value.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#environ_get
func environGet(g abi.Guest, a abi.Args) errno { return putStrings(g, g.Env, a.U32(0), a.U32(1)) }

// environSizesGet is argsSizesGet for the environment.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#environ_sizes_get
func environSizesGet(g abi.Guest, a abi.Args) errno { return putSizes(g, g.Env, a.U32(0), a.U32(1)) }

func putStrings(g abi.Guest, list []string, pointers, buf uint32) errno {
	for _, s := range list {
		n := uint32(len(s)) + 1
		b := g.Bytes(buf, n)
		copy(b, s)
		b[len(s)] = 0
		g.PutUint32(pointers, buf)
		pointers += 4
		buf += n
	}
	return success
}

func putSizes(g abi.Guest, list []string, count, size uint32) errno {
	bytes := 0
	for _, s := range list {
		bytes += len(s) + 1
	}
	g.PutUint32(count, uint32(len(list)))
	g.PutUint32(size, uint32(bytes))
	return success
}
