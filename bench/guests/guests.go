// Package guests has the modules that benchmarks call, with what to ask each
// and what it has to answer, so that every engine is measured with the same
// work and is known to have done it. Start with All.
package guests

import (
	"path/filepath"
	"sync"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

// URL is what every guest is asked for.
const URL = "http://bench.localhost/"

// Guest is a module with a request to ask it.
type Guest struct {
	Name   string
	Method string
	Body   string // of the request; empty for none
	Answer string // the body of the answer, whose status is 200
	// Module is the guest's binary, which is made once for all callers.
	Module func() ([]byte, error)
}

const order = `{"customer":"Ada","items":[{"name":"tea","count":3,"price":4.5},{"name":"cake","count":1,"price":12},{"name":"milk","count":2,"price":0.9}]}`

// All are the guests, the cheapest first. Root is the repository's folder, in
// which the sources of the Go guests are.
func All(root string) []Guest {
	folder := func(names ...string) func() ([]byte, error) {
		return sync.OnceValues(func() ([]byte, error) { return build(filepath.Join(append([]string{root}, names...)...)) })
	}
	return []Guest{
		{"tiny", "GET", "", "hello", sync.OnceValues(tiny)},
		{"go-hello", "GET", "", "Hello from Mayfly! You asked for /\n", folder("examples", "hello")},
		{"go-json", "POST", order, `{"customer":"Ada","names":["cake","milk","tea"],"total":27.3}`, folder("bench", "guests", "json")},
	}
}

// Request is what to ask the guest. Its body can be read once.
func (g Guest) Request() host.Request {
	return hosttest.Request(g.Method, URL, g.Body, "host", "bench.localhost")
}

// tiny answers "hello" in six instructions.
func tiny() ([]byte, error) {
	const text = "hello"
	var m hosttest.Module
	table := native.New().Modules()[0]
	respond, _ := table.Find("respond")
	call := m.Import(table.Name, respond.Name, respond.Params, respond.Results)
	m.Memory(2)
	m.Data(0, []byte(text))
	m.Func("fetch", nil, nil, nil,
		hosttest.I32Const(200), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Const(int32(len(text))),
		hosttest.Call(call), hosttest.Drop)
	return m.Bytes(), nil
}
