package host

import "io"

// Field is one HTTP header field: name and value.
type Field = [2]string

// Code says what kind of failure happened: a result of the ABI, negated.
type Code uint8

// The codes of ABI 1.0.
const (
	Invalid Code = iota + 1
	BadHandle
	NotFound
	Conflict
	Denied
	Limit
	TooLarge
	Timeout
	Unavailable
	State
	Canceled
	Unsupported
	Internal
)

// Error is a failure that the node reported.
type Error struct {
	Code    Code
	Message string // for people, possibly empty
}

func (e *Error) Error() string { return e.Message }

// Exchange is an outbound request under way.
type Exchange interface {
	// Response blocks until the head of the response is there. It may be
	// called once. Closing the body ends the exchange.
	Response() (status int, fields []Field, body io.ReadCloser, err error)
	// Close gives the exchange up: whoever waits in Response or reads the
	// body gets a Canceled error. It may be called more than once.
	Close() error
}

// Entry is one key of a KV namespace.
type Entry struct {
	Key      string
	Value    []byte
	Metadata []byte
	Revision int64
	Expires  int64 // seconds since 1970; 0 means never
}

// Write says how an entry is put or deleted.
type Write struct {
	Metadata []byte
	Expires  int64 // seconds since 1970 or, if Relative, from now; 0 means never
	Relative bool
	Revision int64 // compared with what is stored, if Compare is set
	Compare  bool
}

// Namespace is an open KV namespace.
type Namespace interface {
	Get(key string) (Entry, error)
	Put(key string, value []byte, w Write) (revision int64, err error)
	Delete(key string, w Write) error
	// List returns entries without values. The returned cursor is empty when
	// the listing is complete.
	List(prefix, cursor string, limit int) (entries []Entry, next string, err error)
}
