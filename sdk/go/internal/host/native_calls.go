//go:build !wasip1

package host

import (
	"bytes"
	"io"
	"strings"
	"time"
)

func RequestMethod() string                       { return current().RequestMethod() }
func RequestURL() string                          { return current().RequestURL() }
func RequestClient() string                       { return current().RequestClient() }
func RequestFields() []Field                      { return current().RequestFields() }
func RequestBody() (io.ReadCloser, error)         { return current().RequestBody(), nil }
func Scheduled() (string, int64)                  { return current().Scheduled() }
func FailEvent(reason string)                     { current().FailEvent(reason) }
func Batch() (BatchHead, error)                   { return current().Batch() }
func BatchBody(message int) ([]byte, error)       { return current().BatchBody(message) }
func Ack(message int) error                       { return current().Ack(message) }
func Retry(message int, delay int64) error        { return current().Retry(message, delay) }
func AckAll() error                               { return current().AckAll() }
func RetryAll(delay int64) error                  { return current().RetryAll(delay) }
func Change() (ChangeHead, error)                 { return current().Change() }
func ChangeValue() ([]byte, error)                { return current().ChangeValue() }
func OpenQueue(name string) (Queue, error)        { return current().OpenQueue(name) }
func Detach() error                               { return current().Detach() }
func Abort(reason string)                         { current().Abort(reason) }
func Env(name string) (string, bool)              { return current().Env(name) }
func EnvNames() []string                          { return current().EnvNames() }
func Log(level int, text string)                  { current().Log(level, text) }
func TimeLeft() time.Duration                     { return current().TimeLeft() }
func RateLimit(binding, key string) (bool, error) { return current().RateLimit(binding, key) }

func OpenKV(binding string, strong bool) (Namespace, error) {
	return current().OpenKV(binding, strong)
}

func RequestField(name string) (string, bool) {
	for _, f := range RequestFields() {
		if strings.EqualFold(f[0], name) {
			return f[1], true
		}
	}
	return "", false
}

func Respond(status int, fields []Field, body []byte) error {
	return current().Respond(status, fields, body)
}

func RespondStream(status int, fields []Field) (io.WriteCloser, error) {
	return current().RespondStream(status, fields)
}

func Fetch(method, url string, fields []Field, body []byte) (Exchange, error) {
	return current().Fetch(method, url, fields, bytes.NewReader(body))
}

func FetchStream(method, url string, fields []Field) (Exchange, io.WriteCloser, error) {
	r, w := io.Pipe()
	x, err := current().Fetch(method, url, fields, r)
	return x, w, err
}

func FetchFrom(binding, method, url string, fields []Field, body []byte) (Exchange, error) {
	return current().FetchFrom(binding, method, url, fields, bytes.NewReader(body))
}

func FetchStreamFrom(binding, method, url string, fields []Field) (Exchange, io.WriteCloser, error) {
	r, w := io.Pipe()
	x, err := current().FetchFrom(binding, method, url, fields, r)
	return x, w, err
}
