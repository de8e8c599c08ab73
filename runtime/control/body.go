package control

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
)

// maxJSON is the longest body of JSON but for bulk requests, in bytes.
const maxJSON = 1 << 20

// limitBody bounds the body; reading further is an *http.MaxBytesError.
func (r *request) limitBody(n int64) {
	r.Body = http.MaxBytesReader(r.reply, r.Body, n)
}

// readAll reads a body or a part of it.
func readAll(from io.Reader) ([]byte, error) {
	data, err := io.ReadAll(from)
	return data, bodyError(err)
}

// bodyError tells broken and slow bodies from our own failures.
func bodyError(err error) error {
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil || tooLarge:
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &failure{http.StatusRequestTimeout, 0, "the body did not arrive in time"}
	}
	return badRequest("read body: %v", err)
}

// readJSON decodes a body of at most limit bytes that is one JSON value.
func (r *request) readJSON(limit int64, into any) error {
	r.limitBody(limit)
	d := json.NewDecoder(r.Body)
	if err := d.Decode(into); err != nil {
		return jsonError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		if err == nil {
			return badRequest("the body has more than one JSON value")
		}
		return jsonError(err)
	}
	return nil
}

func jsonError(err error) error {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return err
	}
	if errors.Is(err, io.EOF) {
		return badRequest("the body is empty; JSON is expected")
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return badRequest("the body's JSON has a %s where %s is expected: %s", e.Value, e.Type.Kind(), e.Field)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return bodyError(err)
	}
	return badRequest("the body is not the JSON expected here: %v", err)
}
