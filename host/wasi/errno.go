package wasi

import "github.com/mayfly-run/mayfly/host"

// errno is the result of a function.
//
// Numbers: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#errno
type errno uint16

const (
	success   errno = 0
	eacces    errno = 2
	ebadf     errno = 8
	ecanceled errno = 11
	edquot    errno = 19
	efbig     errno = 22
	einval    errno = 28
	eio       errno = 29
	enotdir   errno = 54
	enotsock  errno = 57
	enotsup   errno = 58
	espipe    errno = 70
	etimedout errno = 73
)

// fail keeps err for the guest's log of errors and returns what it sees.
func fail(c *host.Call, err error) errno {
	switch c.Fail(err) {
	case host.CodeInvalid:
		return einval
	case host.CodeDenied:
		return eacces
	case host.CodeLimit:
		return edquot
	case host.CodeTooLarge:
		return efbig
	case host.CodeTimeout:
		return etimedout
	case host.CodeCanceled:
		return ecanceled
	case host.CodeUnsupported:
		return enotsup
	}
	return eio
}
