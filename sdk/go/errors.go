package mayfly

import "github.com/mayfly-run/mayfly/sdk/go/internal/host"

// Code is a kind of failure. Codes are errors so that they can be looked for:
//
//	errors.Is(err, mayfly.ErrNotFound)
type Code uint8

// The kinds of failure that a node reports.
const (
	ErrInvalid     = Code(host.Invalid)     // an argument is malformed or out of range
	ErrNotFound    = Code(host.NotFound)    // the named thing does not exist
	ErrConflict    = Code(host.Conflict)    // the compared revision is not the stored one
	ErrDenied      = Code(host.Denied)      // the Function may not do this
	ErrLimit       = Code(host.Limit)       // a limit of the invocation is used up
	ErrTooLarge    = Code(host.TooLarge)    // a value exceeds its size limit
	ErrTimeout     = Code(host.Timeout)     // the time allowed has passed
	ErrUnavailable = Code(host.Unavailable) // the other side failed or can't be reached
	ErrState       = Code(host.State)       // not possible now, for example after the response
	ErrCanceled    = Code(host.Canceled)    // the other end of an operation went away
	ErrUnsupported = Code(host.Unsupported) // this node doesn't offer it
	ErrInternal    = Code(host.Internal)    // a fault of the node; its log has the details
)

func (c Code) Error() string {
	switch c {
	case ErrInvalid:
		return "invalid argument"
	case ErrNotFound:
		return "not found"
	case ErrConflict:
		return "changed by another write"
	case ErrDenied:
		return "denied"
	case ErrLimit:
		return "limit used up"
	case ErrTooLarge:
		return "too large"
	case ErrTimeout:
		return "timeout"
	case ErrUnavailable:
		return "unavailable"
	case ErrState:
		return "not possible now"
	case ErrCanceled:
		return "canceled"
	case ErrUnsupported:
		return "not supported by this node"
	}
	return "internal error"
}

// Error is a failure that the node reported.
type Error struct {
	Op      string // what failed, for example "kv get"
	Code    Code
	Message string // the node's explanation for people, possibly empty
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Op + ": " + e.Code.Error()
	}
	return e.Op + ": " + e.Message
}

// Unwrap makes errors.Is find the code.
func (e *Error) Unwrap() error { return e.Code }

// fail gives an error of the node its public type; others, nil among them, it
// leaves as they are.
func fail(op string, err error) error {
	if e, ok := err.(*host.Error); ok {
		return &Error{op, Code(e.Code), e.Message}
	}
	return err
}
