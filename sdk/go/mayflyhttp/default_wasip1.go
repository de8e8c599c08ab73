package mayflyhttp

import "net/http"

// defaultTransport drops the original, which can't open connections here.
func defaultTransport(http.RoundTripper) http.RoundTripper { return Transport{} }
