package wasi

import "github.com/mayfly-run/mayfly/host/abi"

// filetype of every stream: neither a file nor a terminal, so that C libraries
// buffer their output.
const unknownType = 0

// Rights of descriptors.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#rights
const (
	rightRead     = 1 << 1
	rightSetFlags = 1 << 3
	rightWrite    = 1 << 6
	rightFilestat = 1 << 21
	rightPoll     = 1 << 27
)

func rights(stream int) uint64 {
	if stream == stdin {
		return rightRead | rightSetFlags | rightFilestat | rightPoll
	}
	return rightWrite | rightSetFlags | rightFilestat | rightPoll
}

// fdFdstatGet describes a descriptor.
//
//   - fd: the descriptor
//   - result: where the fdstat goes, 24 bytes
//
// EBADF: it is not open.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_fdstat_get
func fdFdstatGet(g abi.Guest, a abi.Args) errno {
	stream, ok := openStream(g.Call, a.U32(0))
	if !ok {
		return ebadf
	}
	stat := g.Bytes(a.U32(1), 24)
	clear(stat)
	stat[0] = unknownType
	le.PutUint16(stat[2:], g.WASI.Flags[stream])
	le.PutUint64(stat[8:], rights(stream))
	return success
}

// allFlags are the fdflags that exist: append, dsync, nonblock, rsync, sync.
const allFlags = 1<<5 - 1

// fdFdstatSetFlags sets the flags that fdFdstatGet shows. They have no effect:
// a stream blocks whatever they say.
//
//   - fd: the descriptor
//   - flags: the new fdflags
//
// EBADF: it is not open. EINVAL: there is no such flag.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_fdstat_set_flags
func fdFdstatSetFlags(g abi.Guest, a abi.Args) errno {
	stream, ok := openStream(g.Call, a.U32(0))
	if !ok {
		return ebadf
	}
	if a.U32(1) > allFlags {
		return einval
	}
	g.WASI.Flags[stream] = uint16(a.U32(1))
	return success
}

// fdFilestatGet describes the file behind a descriptor, of which nothing is
// known: every field is zero.
//
//   - fd: the descriptor
//   - result: where the filestat goes, 64 bytes
//
// EBADF: it is not open.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_filestat_get
func fdFilestatGet(g abi.Guest, a abi.Args) errno {
	if _, ok := openStream(g.Call, a.U32(0)); !ok {
		return ebadf
	}
	clear(g.Bytes(a.U32(1), 64))
	return success
}
