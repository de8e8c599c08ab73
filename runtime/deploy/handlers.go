package deploy

import (
	"slices"

	"github.com/mayfly-run/mayfly/host"
)

// NoQueueHandlerError says that a Function can't be, or stay, the consumer of a queue: it,
// or the Version that it is to get, handles no batches. It wraps a host.Error.
type NoQueueHandlerError struct{ public *host.Error }

func noQueueHandler(format string, args ...any) error {
	return &NoQueueHandlerError{host.Errorf(host.CodeInvalid, format, args...)}
}

func (e *NoQueueHandlerError) Error() string { return e.public.Msg }

// Unwrap returns the host.Error.
func (e *NoQueueHandlerError) Unwrap() error { return e.public }

// Handles reports whether the Version handles a kind of events. Versions of which that
// was not noted handle all.
func (v Version) Handles(handler string) bool {
	return len(v.Handlers) == 0 || slices.Contains(v.Handlers, handler)
}

// howToHandle says what a module has to have for each handler.
var howToHandle = map[string]string{
	"scheduled": "export scheduled(controller, env, ctx) in JavaScript, call mayfly.HandleScheduled in Go",
	"queue":     "export queue(batch, env, ctx) in JavaScript, call mayfly.HandleQueue in Go",
	"kv":        "export kv(event, env, ctx) in JavaScript, call mayfly.HandleKV in Go",
}

// needs refuses a Version without a handler; what is that for which it needs one.
func (v Version) needs(handler, what string) error {
	if v.Handles(handler) {
		return nil
	}
	how := howToHandle[handler]
	if how == "" {
		return invalid("%q is no handler: there are fetch, scheduled, queue and kv", handler)
	}
	return invalid("the module has no %s handler, which %s needs: %s", handler, what, how)
}

// needsHandlers refuses an upload that lacks a handler which it says it has.
func (v Version) needsHandlers(wanted []string) error {
	for _, handler := range wanted {
		what := map[string]string{"scheduled": "a cron trigger", "queue": "the consumer of a queue", "kv": "a KV trigger"}[handler]
		if err := v.needs(handler, what); err != nil {
			return err
		}
	}
	return nil
}

// checkHandlers refuses a Version that lacks a handler of what its Function is given
// already.
func (s *snapshot) checkHandlers(f Function, v Version) error {
	for _, q := range s.queuesOf(f.Account) {
		if c := q.Consumer; c == nil || c.Type != ConsumerWorker || c.Function != f.Name {
			continue
		}
		if !v.Handles("queue") {
			return noQueueHandler("Function %s is the consumer of queue %q, and this version has no queue handler: %s; or remove the consumer first", f.Name, q.Name, howToHandle["queue"])
		}
	}
	if len(f.KVTriggers) > 0 && !v.Handles("kv") {
		return invalid("Function %s has KV triggers, and this version has no kv handler: %s; or remove the triggers first, with kv = [] in [triggers] and 'mayfly triggers deploy'", f.Name, howToHandle["kv"])
	}
	return nil
}

// Handlers are kinds of events that a Function of the manifest has to handle.
func (m *Manifest) Handlers() (list []string) {
	if len(m.Triggers.Crons) > 0 {
		list = append(list, "scheduled")
	}
	if len(m.Triggers.KV) > 0 {
		list = append(list, "kv")
	}
	if len(m.Triggers.KV) > 0 {
		list = append(list, "kv")
	}
	if slices.ContainsFunc(m.Queues.Consumers, func(c ManifestConsumer) bool { return c.Type != ConsumerPull }) {
		list = append(list, "queue")
	}
	return list
}
