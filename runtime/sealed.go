package runtime

import (
	"context"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// sealedCall is a Call for initialisation: what comes of it is kept and shared by
// all later requests, so nothing secret and nothing of others may get in, and
// nothing may get out but log entries.
func sealedCall(setup Setup) *host.Call {
	services, bindings := *setup.Services, *setup.Bindings
	services.Fetcher = sealedFetcher{}
	bindings.Env = map[string]host.EnvValue{}
	for name, v := range setup.Bindings.Env {
		if !v.Secret {
			bindings.Env[name] = v
		}
	}
	bindings.Environ, bindings.Secrets = nil, nil
	for _, variable := range setup.Bindings.Environ {
		if name, _, _ := strings.Cut(variable, "="); !setup.Bindings.Env[name].Secret {
			bindings.Environ = append(bindings.Environ, variable)
		}
	}
	bindings.KV = map[string]kv.Store{}
	for name := range setup.Bindings.KV {
		bindings.KV[name] = sealedStore{}
	}
	bindings.Fetchers = map[string]host.Fetcher{}
	for name := range setup.Bindings.Fetchers {
		bindings.Fetchers[name] = sealedFetcher{}
	}
	bindings.RateLimits = map[string]host.RateLimiter{}
	for name := range setup.Bindings.RateLimits {
		bindings.RateLimits[name] = sealedLimiter{}
	}
	bindings.Queues = map[string]host.QueueProducer{}
	for name := range setup.Bindings.Queues {
		bindings.Queues[name] = sealedProducer{}
	}
	bindings.Cache = nil // has nothing, and keeps nothing
	return &host.Call{ID: "initialisation", Services: &services, Bindings: &bindings, Limits: setup.Limits, Responder: sealedResponder{}}
}

func errSealed(what string) *host.Error {
	return host.Errorf(host.CodeState, "%s is not possible during initialisation, which is shared by all requests", what)
}

// sealedStore refuses to read as well: what is read now would be served for ever.
type sealedStore struct{}

func (sealedStore) Get(context.Context, string) (kv.Entry, error) {
	return kv.Entry{}, errSealed("kv_get")
}

func (sealedStore) Put(context.Context, string, []byte, kv.PutOptions) (uint64, error) {
	return 0, errSealed("kv_put")
}

func (sealedStore) Delete(context.Context, string, kv.DeleteOptions) error {
	return errSealed("kv_delete")
}

func (sealedStore) List(context.Context, kv.ListOptions) (kv.Page, error) {
	return kv.Page{}, errSealed("kv_list")
}

func (sealedStore) Watch(context.Context, string) (kv.Watcher, error) {
	return nil, errSealed("a watch")
}

func (sealedStore) Close() error { return nil }

type sealedFetcher struct{}

func (sealedFetcher) Fetch(context.Context, *host.FetchRequest) (*host.FetchResponse, error) {
	return nil, errSealed("fetch")
}

type sealedProducer struct{}

func (sealedProducer) Backlog(context.Context) (host.QueueBacklog, error) {
	return host.QueueBacklog{}, errSealed("looking at a queue")
}

func (sealedProducer) Send(context.Context, []host.QueueSend) error {
	return errSealed("sending to a queue")
}

type sealedLimiter struct{}

func (sealedLimiter) Limit([]byte) (bool, error) { return false, errSealed("rate_limit") }

// sealedResponder drops answers: warm-up requests have nobody to answer to.
type sealedResponder struct{}

func (sealedResponder) Respond(int, host.Headers, []byte) error { return nil }
func (sealedResponder) Detach() error                           { return nil }
func (sealedResponder) Stream(int, host.Headers) (host.BodyWriter, error) {
	return sealedWriter{}, nil
}

type sealedWriter struct{}

func (sealedWriter) Write(p []byte) (int, error) { return len(p), nil }
func (sealedWriter) CloseWithError(error) error  { return nil }
