package wasi

import "github.com/mayfly-run/mayfly/host/abi"

// pathFuncs are the functions that take a path, relative to a directory's
// descriptor. No descriptor here is a directory's: the standard streams answer
// ENOTDIR, all others EBADF. With a C library, programs see neither, because it
// finds no preopened directory to begin with.
//
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#path_create_directory
// and the nine that follow it there.
func pathFuncs() []abi.Func {
	first, third := unfit(0, enotdir), unfit(2, enotdir)
	return []abi.Func{
		function("path_create_directory", first, i32, i32, i32),
		function("path_filestat_get", first, i32, i32, i32, i32, i32),
		function("path_filestat_set_times", first, i32, i32, i32, i32, i64, i64, i32),
		function("path_link", first, i32, i32, i32, i32, i32, i32, i32),
		function("path_open", first, i32, i32, i32, i32, i32, i64, i64, i32, i32),
		function("path_readlink", first, i32, i32, i32, i32, i32, i32),
		function("path_remove_directory", first, i32, i32, i32),
		function("path_rename", first, i32, i32, i32, i32, i32, i32),
		function("path_symlink", third, i32, i32, i32, i32, i32),
		function("path_unlink_file", first, i32, i32, i32),
	}
}

// unfit makes a function for which no stream is the right kind of descriptor:
// it answers with kind for an open one and EBADF for all others. param is the
// descriptor's place among the parameters.
func unfit(param int, kind errno) func(abi.Guest, abi.Args) errno {
	return func(g abi.Guest, a abi.Args) errno {
		if _, ok := openStream(g.Call, a.U32(param)); !ok {
			return ebadf
		}
		return kind
	}
}
