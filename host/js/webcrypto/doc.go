// Package webcrypto computes what crypto.subtle offers
// (https://w3c.github.io/webcrypto/), by the standard library. It keeps nothing: a
// key comes with each operation, as raw bytes if it is a secret, as PKCS #8 if it is
// private, and as SubjectPublicKeyInfo if it is public.
//
// What goes wrong is an Error, with the name that the standard gives it. Everything
// here is safe for concurrent use. Begin with Params.
package webcrypto

import "fmt"

// Error is what becomes a DOMException.
type Error struct{ Name, Message string }

func (e *Error) Error() string { return e.Name + ": " + e.Message }

func dataError(format string, args ...any) error {
	return &Error{"DataError", fmt.Sprintf(format, args...)}
}

func operationError(format string, args ...any) error {
	return &Error{"OperationError", fmt.Sprintf(format, args...)}
}

func notSupported(format string, args ...any) error {
	return &Error{"NotSupportedError", fmt.Sprintf(format, args...)}
}
