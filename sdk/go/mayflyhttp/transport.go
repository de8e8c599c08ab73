package mayflyhttp

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"

	"github.com/mayfly-run/mayfly/sdk/go"
)

// Transport is an http.RoundTripper that sends requests through the node. The
// zero value is ready for use.
//
//	client := &http.Client{Transport: mayflyhttp.Transport{}, Timeout: time.Second}
//
// Requests whose body is at most 64 KiB and of known length are sent in one
// piece, others are streamed. The length of responses is not known, and
// trailers, HTTP trace hooks and protocol upgrades are not supported.
type Transport struct {
	// Fetch sends requests; mayfly.Fetch if nil. With that of a service binding they
	// go to another Function:
	//
	//	auth := &http.Client{Transport: mayflyhttp.Transport{Fetch: mayfly.Service("AUTH").Fetch}}
	Fetch func(context.Context, *mayfly.FetchRequest) (*mayfly.FetchResponse, error)
}

// ReplaceDefault makes Transport the http.DefaultTransport, so that http.Get and
// everything else that uses the default client works; call it from func init.
// It isn't part of [Serve] because it links the original transport, another
// 2.5 MB. Under go test, requests sent while no handler runs still go through
// the original.
func ReplaceDefault() { http.DefaultTransport = defaultTransport(http.DefaultTransport) }

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := fetchBody(r)
	if err != nil {
		return nil, err
	}
	fetch := t.Fetch
	if fetch == nil {
		fetch = mayfly.Fetch
	}
	in, err := fetch(r.Context(), &mayfly.FetchRequest{
		Method: r.Method, URL: r.URL.String(), Header: fromHeader(r.Header), Body: body,
	})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: in.Status,
		Status:     strconv.Itoa(in.Status) + " " + http.StatusText(in.Status),
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        toHeader(in.Header),
		Body:          in.Body,
		ContentLength: -1,
		Request:       r,
	}, nil
}

// fetchBody is what Fetch sends in place of r's body, and closes.
func fetchBody(r *http.Request) (io.Reader, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength <= 0 || r.ContentLength > keep { // 0 means unknown for a client
		return r.Body, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return bytes.NewReader(body), err
}
