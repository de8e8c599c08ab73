package mayfly

import (
	"context"
	"io"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// Fetcher answers requests on the node: another Function, or static files.
type Fetcher struct{ binding string }

// Service returns what the configuration binds to a name:
//
//	[[services]]
//	binding = "AUTH"
//	service = "auth"
//
// If there is no such binding, each request fails with [ErrDenied]. The result may
// be kept in a package variable.
func Service(binding string) Fetcher { return Fetcher{binding} }

// Assets returns the static files of the Function, if the configuration binds them to
// a name:
//
//	[assets]
//	directory = "public"
//	binding = "ASSETS"
func Assets(binding string) Fetcher { return Fetcher{binding} }

// Fetch is [Fetch] without leaving the node. The URL is absolute, and any host will
// do: the other Function sees it as the URL of its request. What it answers, a 500
// included, is no error. It is an error if it gave no answer: [ErrUnavailable],
// [ErrTimeout], [ErrTooLarge] (it does not take such a body), [ErrNotFound] (it was
// deleted), or [ErrLimit] when Functions call one another in a loop.
//
// It takes one of the invocation's requests, and of its room for open responses.
func (f Fetcher) Fetch(ctx context.Context, r *FetchRequest) (*FetchResponse, error) {
	return r.fetch(ctx, "fetch from "+f.binding, sender{f.whole, f.stream})
}

func (f Fetcher) whole(method, url string, fields []host.Field, body []byte) (host.Exchange, error) {
	x, err := host.FetchFrom(f.binding, method, url, fields, body)
	return x, unbound(err)
}

func (f Fetcher) stream(method, url string, fields []host.Field) (host.Exchange, io.WriteCloser, error) {
	x, upload, err := host.FetchStreamFrom(f.binding, method, url, fields)
	return x, upload, unbound(err)
}

// unbound makes the failure to find a binding one of the configuration.
func unbound(err error) error {
	if e, ok := err.(*host.Error); ok && e.Code == host.NotFound {
		return &host.Error{Code: host.Denied, Message: "the configuration has no such binding"}
	}
	return err
}
