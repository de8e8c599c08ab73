// Counter counts in KV: GET shows the count, POST adds one.
package main

import (
	"errors"
	"strconv"

	"github.com/mayfly-run/mayfly/sdk/go"
)

const key = "count"

var counters = mayfly.KV("COUNTER")

func init() { mayfly.Handle(handle) }

func handle(req *mayfly.Request) (*mayfly.Response, error) {
	switch req.Method() {
	case "GET", "HEAD":
		n, _, err := read()
		return show(n), err
	case "POST":
		n, err := increment()
		return show(n), err
	}
	return mayfly.Text(405, "GET or POST, please\n").With("allow", "GET, HEAD, POST"), nil
}

func show(n int) *mayfly.Response {
	return mayfly.Text(200, strconv.Itoa(n)+"\n").With("cache-control", "no-store")
}

// read returns the count and the revision it was stored with: 0 and 0 before
// the first increment.
func read() (n int, revision int64, err error) {
	entry, err := counters.Get(key)
	if errors.Is(err, mayfly.ErrNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	n, err = strconv.Atoi(string(entry.Value))
	return n, entry.Revision, err
}

// increment adds one. Requests that do so at the same time all read the same
// count; the compared revision lets one of them write, and the others try again.
func increment() (int, error) {
	for {
		n, revision, err := read()
		if err != nil {
			return 0, err
		}
		_, err = counters.Put(key, strconv.AppendInt(nil, int64(n+1), 10), mayfly.IfRevision(revision))
		if err == nil {
			return n + 1, nil
		}
		if !errors.Is(err, mayfly.ErrConflict) {
			return 0, err
		}
	}
}

func main() {} // required by Go, never called
