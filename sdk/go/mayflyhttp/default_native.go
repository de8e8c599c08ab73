//go:build !wasip1

package mayflyhttp

import (
	"net/http"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// defaultTransport leaves a test the original for requests of its own.
func defaultTransport(original http.RoundTripper) http.RoundTripper {
	if _, ok := original.(inHandler); ok {
		return original
	}
	return inHandler{original}
}

type inHandler struct{ original http.RoundTripper }

func (t inHandler) RoundTrip(r *http.Request) (*http.Response, error) {
	if host.Invoking() {
		return Transport{}.RoundTrip(r)
	}
	return t.original.RoundTrip(r)
}
