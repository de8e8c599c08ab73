package wasi

import (
	"math"

	"github.com/mayfly-run/mayfly/host/abi"
)

// fdFuncs are the functions on descriptors. The streams are like pipes: they
// have no position, no size, and nothing to synchronise. No descriptor is a
// preopened directory; EBADF for the first one asked about ends the search of
// a C library.
func fdFuncs() []abi.Func {
	noPosition, noFile := unfit(0, espipe), unfit(0, einval)
	return []abi.Func{
		function("fd_advise", noPosition, i32, i64, i64, i32),
		function("fd_allocate", noPosition, i32, i64, i64),
		function("fd_close", fdClose, i32),
		function("fd_datasync", noFile, i32),
		function("fd_fdstat_get", fdFdstatGet, i32, i32),
		function("fd_fdstat_set_flags", fdFdstatSetFlags, i32, i32),
		function("fd_fdstat_set_rights", unfit(0, enotsup), i32, i64, i64),
		function("fd_filestat_get", fdFilestatGet, i32, i32),
		function("fd_filestat_set_size", noFile, i32, i64),
		function("fd_filestat_set_times", noFile, i32, i64, i64, i32),
		function("fd_pread", noPosition, i32, i32, i32, i64, i32),
		function("fd_prestat_dir_name", unfit(0, enotdir), i32, i32, i32),
		function("fd_prestat_get", unfit(0, ebadf), i32, i32),
		function("fd_pwrite", noPosition, i32, i32, i32, i64, i32),
		function("fd_read", fdRead, i32, i32, i32, i32),
		function("fd_readdir", unfit(0, enotdir), i32, i32, i32, i64, i32),
		function("fd_renumber", fdRenumber, i32, i32),
		function("fd_seek", noPosition, i32, i64, i32, i32),
		function("fd_sync", noFile, i32),
		function("fd_tell", noPosition, i32, i32),
		function("fd_write", fdWrite, i32, i32, i32, i32),
	}
}

// fdClose closes a descriptor for the rest of the Invocation.
//
//   - fd: the descriptor
//
// EBADF: it is not open.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_close
func fdClose(g abi.Guest, a abi.Args) errno {
	if _, ok := openStream(g.Call, a.U32(0)); !ok {
		return ebadf
	}
	g.WASI.Descriptors[a.U32(0)] = closed
	return success
}

// fdRenumber gives a stream another open descriptor instead of its own, and
// closes the stream that was there.
//
//   - from: the descriptor that is free afterwards
//   - to: the descriptor that takes its place
//
// EBADF: one of them is not open.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_renumber
func fdRenumber(g abi.Guest, a abi.Args) errno {
	from, to := a.U32(0), a.U32(1)
	stream, ok := openStream(g.Call, from)
	if _, also := openStream(g.Call, to); !ok || !also {
		return ebadf
	}
	g.WASI.Descriptors[from] = closed
	g.WASI.Descriptors[to] = moved + uint8(stream)
	return success
}

// fdRead reads from stdin into the first of the given buffers that is not
// empty. It blocks until there is something, at most until the Invocation's
// deadline.
//
//   - fd: the descriptor
//   - iovs, count: the buffers, each a pointer and a length
//   - result: where the number of bytes read goes; 0 is the end
//
// EBADF: fd is not open, or not stdin. EINVAL: too many buffers. Other errors
// tell what became of the request's body.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_read
func fdRead(g abi.Guest, a abi.Args) errno {
	if stream, ok := openStream(g.Call, a.U32(0)); !ok || stream != stdin {
		return ebadf
	}
	vecs, e := iovecs(g, a.U32(1), a.U32(2))
	if e != success {
		return e
	}
	var buf []byte
	for len(buf) == 0 && len(vecs) > 0 {
		buf, vecs = vecs.first(g), vecs[iovecSize:]
	}
	n, err := readStream(g.Call, buf)
	if err != nil {
		return fail(g.Call, err)
	}
	g.PutUint32(a.U32(3), uint32(n))
	return success
}

// fdWrite writes buffers to stdout or stderr.
//
//   - fd: the descriptor
//   - iovs, count: the buffers, each a pointer and a length
//   - result: where the number of bytes written goes
//
// EBADF: fd is not open, or stdin. EINVAL: too many buffers, or 2 GiB and more
// in all. EFBIG: the answer exceeds its size limit. If part was written before
// an error, that part is reported and the error comes with the next call.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#fd_write
func fdWrite(g abi.Guest, a abi.Args) errno {
	stream, ok := openStream(g.Call, a.U32(0))
	if !ok || stream == stdin {
		return ebadf
	}
	vecs, e := iovecs(g, a.U32(1), a.U32(2))
	if e != success {
		return e
	}
	written, err := writeAll(g, stream, vecs)
	if err != nil && written == 0 {
		return fail(g.Call, err)
	}
	g.PutUint32(a.U32(3), uint32(written))
	return success
}

func writeAll(g abi.Guest, stream int, vecs vectors) (written int, err error) {
	for ; len(vecs) > 0 && err == nil; vecs = vecs[iovecSize:] {
		var n int
		if buf := vecs.first(g); len(buf) > 0 {
			n, err = writeStream(g.Call, stream, buf)
		}
		written += n
	}
	return written, err
}

const (
	iovecSize = 8
	maxIovecs = 1024 // as IOV_MAX on Linux
)

// vectors are the buffers of a guest's call.
//
// Layout: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#iovec
type vectors []byte

func iovecs(g abi.Guest, ptr, count uint32) (vectors, errno) {
	if count > maxIovecs {
		return nil, einval
	}
	vecs, total := g.Bytes(ptr, count*iovecSize), int64(0)
	for i := uint32(0); i < count; i++ {
		total += int64(le.Uint32(vecs[i*iovecSize+4:]))
	}
	if total > math.MaxInt32 {
		return nil, einval
	}
	return vecs, success
}

func (v vectors) first(g abi.Guest) []byte { return g.Bytes(le.Uint32(v), le.Uint32(v[4:])) }
