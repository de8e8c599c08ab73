package js

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/mayfly-run/mayfly/host"
)

// source gives the source of the module named text.
func source(q *query) (kind, error) {
	var m *Source
	if q.program != nil {
		m = q.program.find(string(q.text))
	}
	if m == nil {
		q.give(fmt.Sprintf("No such module %q.", q.text))
		return missing, nil
	}
	m.loaded = true
	return q.give(m.wrapper()())
}

// unloaded gives the names of the modules whose source nobody has asked for, as JSON.
func unloaded(q *query) (kind, error) {
	names := []string{}
	for _, m := range q.program.Modules {
		if !m.loaded {
			names = append(names, path.Clean(m.Name))
		}
	}
	return q.giveJSON(names)
}

// program gives what is to be loaded, as JSON: the main module, and whether that is a
// script.
func program(q *query) (kind, error) {
	if q.broken != nil {
		return 0, q.broken
	}
	if q.program == nil {
		return 0, host.Errorf(host.CodeInvalid, "there is no JavaScript Worker to load")
	}
	return q.giveJSON(struct {
		Main   string `json:"main"`
		Script bool   `json:"script"`
	}{q.program.Main, q.program.Script})
}

// bindings gives the bindings that don't change with a request, as JSON.
func bindings(q *query) (kind, error) {
	type binding struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Value string `json:"value,omitempty"`
	}
	list := []binding{}
	for _, name := range slices.Sorted(maps.Keys(q.Bindings.Env)) {
		if v := q.Bindings.Env[name]; !v.Secret {
			list = append(list, binding{name, varType(v), v.Value})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.Bindings.KV)) {
		list = append(list, binding{Name: name, Type: "kv"})
	}
	for _, name := range slices.Sorted(maps.Keys(q.Bindings.Fetchers)) {
		list = append(list, binding{Name: name, Type: "fetcher"})
	}
	for _, name := range slices.Sorted(maps.Keys(q.Bindings.RateLimits)) {
		list = append(list, binding{Name: name, Type: "ratelimit"})
	}
	for _, name := range slices.Sorted(maps.Keys(q.Bindings.Queues)) {
		list = append(list, binding{Name: name, Type: "queue"})
	}
	return q.giveJSON(list)
}

func varType(v host.EnvValue) string {
	if v.JSON {
		return "json"
	}
	return "text"
}

func (q *query) giveJSON(v any) (kind, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return 0, err
	}
	return q.give(string(data))
}

// failed notes an exception that nobody caught: text is its message with the stack.
// The Invocation has failed then, unless n says that it only goes to the log. While
// the program is loaded there is nothing to go on with.
func failed(q *query) (kind, error) {
	if q.n != 0 {
		q.Log(host.LogError, q.text)
		return noValue, nil
	}
	q.failure = failureOf(q.text)
	if !q.begun {
		panic(q.failure)
	}
	q.settled = true
	return noValue, nil
}

// handlers notes which events the Worker handles: n is host.Handlers.
func handlers(q *query) (kind, error) {
	q.Handlers = host.Handlers(q.n)
	return noValue, nil
}
