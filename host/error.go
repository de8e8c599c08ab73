package host

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mayfly-run/mayfly/kv"
)

// Code classifies an Error. The numbers are part of the native ABI, which
// returns them negated; never renumber.
type Code int32

const (
	CodeInvalid     Code = 1  // an argument is malformed or out of range
	CodeHandle      Code = 2  // no such handle, or one of another kind
	CodeNotFound    Code = 3  // the named thing does not exist
	CodeConflict    Code = 4  // a compared revision is not the stored one
	CodeDenied      Code = 5  // the Function may not do this
	CodeLimit       Code = 6  // a limit of the Invocation is used up
	CodeTooLarge    Code = 7  // a value exceeds its size limit
	CodeTimeout     Code = 8  // the time allowed has passed
	CodeUnavailable Code = 9  // the other side failed or cannot be reached
	CodeState       Code = 10 // not possible now, e.g. after the response was sent
	CodeCanceled    Code = 11 // the client or the operation's other end went away
	CodeUnsupported Code = 12 // this node does not offer it
	CodeInternal    Code = 13 // a fault of the node; details are in its log
)

var codeNames = [...]string{
	CodeInvalid: "invalid", CodeHandle: "badHandle", CodeNotFound: "notFound",
	CodeConflict: "conflict", CodeDenied: "denied", CodeLimit: "limit",
	CodeTooLarge: "tooLarge", CodeTimeout: "timeout", CodeUnavailable: "unavailable",
	CodeState: "state", CodeCanceled: "canceled", CodeUnsupported: "unsupported",
	CodeInternal: "internal",
}

// String is the code's name in logs and JSON.
func (c Code) String() string {
	if c > 0 && int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code(%d)", int32(c))
}

// Error is the only error that crosses into a guest or to a client. Msg is
// shown to them: it says what to do and holds nothing internal.
type Error struct {
	Code Code
	Msg  string
}

func (e *Error) Error() string { return e.Msg }

// Errorf makes an Error with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// PublicError turns any error into one that a guest may see.
func PublicError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*kv.LimitError](err); ok {
		return &Error{Code: limitCode(e.Status), Msg: e.Msg}
	}
	switch {
	case errors.Is(err, kv.ErrNotFound):
		return &Error{Code: CodeNotFound, Msg: kv.ErrNotFound.Error()}
	case errors.Is(err, kv.ErrConflict):
		return &Error{Code: CodeConflict, Msg: kv.ErrConflict.Error()}
	case errors.Is(err, kv.ErrCursor):
		return &Error{Code: CodeInvalid, Msg: kv.ErrCursor.Error()}
	case errors.Is(err, kv.ErrNoSpace):
		return &Error{Code: CodeUnavailable, Msg: "the node's disk is nearly full: nothing was stored"}
	case errors.Is(err, kv.ErrUnavailable):
		return &Error{Code: CodeUnavailable, Msg: "the cluster can't be reached, and takes no writes: reads go on"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrWallTime):
		return &Error{Code: CodeTimeout, Msg: "the operation took too long"}
	case errors.Is(err, context.Canceled), errors.Is(err, ErrEnded):
		return &Error{Code: CodeCanceled, Msg: "the operation was canceled"}
	}
	return &Error{Code: CodeInternal, Msg: "internal error"}
}

func limitCode(status int) Code {
	switch status {
	case http.StatusBadRequest:
		return CodeInvalid
	case http.StatusTooManyRequests:
		return CodeLimit
	}
	return CodeTooLarge
}

// CodeOf is the Code with which err reaches a guest.
func CodeOf(err error) Code { return PublicError(err).Code }

// OfGuest is what the engine says of a guest in the text of an error, without the stack
// of this process that follows it.
func OfGuest(text string) string {
	text, _, _ = strings.Cut(text, "\n\nGo runtime stack trace:")
	return text
}
