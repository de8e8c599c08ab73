package host

import (
	"io"
	"time"
)

// Node is what an invocation sees of its node outside of WebAssembly. The
// methods are the functions of this package.
type Node interface {
	RequestMethod() string
	RequestURL() string
	RequestClient() string
	RequestFields() []Field
	RequestBody() io.ReadCloser
	Scheduled() (cron string, millis int64)
	FailEvent(reason string)
	Batch() (BatchHead, error)
	BatchBody(message int) ([]byte, error)
	Ack(message int) error
	Retry(message int, delay int64) error
	AckAll() error
	RetryAll(delay int64) error
	Change() (ChangeHead, error)
	ChangeValue() ([]byte, error)
	OpenQueue(binding string) (Queue, error)
	Respond(status int, fields []Field, body []byte) error
	RespondStream(status int, fields []Field) (io.WriteCloser, error)
	Detach() error
	Abort(reason string)
	Fetch(method, url string, fields []Field, body io.Reader) (Exchange, error)
	FetchFrom(binding, method, url string, fields []Field, body io.Reader) (Exchange, error)
	RateLimit(binding, key string) (bool, error)
	OpenKV(binding string, strong bool) (Namespace, error)
	Env(name string) (string, bool)
	EnvNames() []string
	Log(level int, text string)
	TimeLeft() time.Duration
}
