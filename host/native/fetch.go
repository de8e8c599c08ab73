package native

import (
	"bytes"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Fetch".
var fetchFuncs = []abi.Func{
	{Name: "fetch_send", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32}, Results: i32, Do: fetchSend},
	{Name: "fetch_stream", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32}, Results: i32, Do: fetchStream},
	{Name: "fetch_request_body", Params: i32, Results: i32, Do: fetchRequestBody},
	{Name: "fetch_status", Params: i32, Results: i32, Do: fetchStatus},
	{Name: "fetch_headers", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: fetchHeaders},
	{Name: "fetch_body", Params: i32, Results: i32, Do: fetchBody},
}

func fetchSend(g abi.Guest, a abi.Args) int64 {
	req, err := fetchRequest(g, a)
	if err != nil {
		return failed(g, err)
	}
	return fetchBegin(g, g.Fetch, req, g.Bytes(a.U32(6), a.U32(7)), false)
}

func fetchStream(g abi.Guest, a abi.Args) int64 {
	req, err := fetchRequest(g, a)
	if err != nil {
		return failed(g, err)
	}
	return fetchBegin(g, g.Fetch, req, nil, true)
}

// fetchRequest reads the first six parameters of both kinds of fetch. What a method
// and a URL may be is for the Fetcher to say; here is what is copied of them.
func fetchRequest(g abi.Guest, a abi.Args) (*host.FetchRequest, *host.Error) {
	method, url := g.Bytes(a.U32(0), a.U32(1)), g.Bytes(a.U32(2), a.U32(3))
	headers := host.Headers(g.Bytes(a.U32(4), a.U32(5)))
	if len(method) > host.MaxMethod {
		return nil, host.Errorf(host.CodeInvalid, "method is longer than %d bytes", host.MaxMethod)
	}
	if len(url) > host.MaxURL {
		return nil, host.Errorf(host.CodeInvalid, "URL is longer than %d bytes", host.MaxURL)
	}
	if err := headers.Check(); err != nil {
		return nil, err
	}
	return &host.FetchRequest{Method: string(method), URL: string(url), Headers: bytes.Clone(headers)}, nil
}

// sender is host.Call.Fetch, or goes to a binding.
type sender func(req *host.FetchRequest, body []byte, streamed bool) (*host.Exchange, *host.Error)

func fetchBegin(g abi.Guest, send sender, req *host.FetchRequest, body []byte, streamed bool) int64 {
	if err := g.Handles.Room(); err != nil {
		return failed(g, err)
	}
	e, err := send(req, body, streamed)
	if err != nil {
		return failed(g, err)
	}
	return opened(g, e)
}

func fetchRequestBody(g abi.Guest, a abi.Args) int64 {
	e, err := get[*host.Exchange](g, a.U32(0))
	switch {
	case err != nil:
		return failed(g, err)
	case e.Upload == nil:
		return failed(g, host.Errorf(host.CodeState, "this request has no body to write, or it was taken already"))
	}
	if err := g.Handles.Room(); err != nil {
		return failed(g, err)
	}
	w := e.Upload
	e.Upload = nil
	return opened(g, w)
}

func fetchStatus(g abi.Guest, a abi.Args) int64 {
	r, err := fetchResponse(g, a.U32(0))
	if err != nil {
		return failed(g, err)
	}
	return int64(r.Status)
}

func fetchHeaders(g abi.Guest, a abi.Args) int64 {
	r, err := fetchResponse(g, a.U32(0))
	if err != nil {
		return failed(g, err)
	}
	return g.Offer(r.Headers, a.U32(1), a.U32(2))
}

func fetchResponse(g abi.Guest, handle uint32) (*host.FetchResponse, error) {
	e, err := get[*host.Exchange](g, handle)
	if err != nil {
		return nil, err
	}
	return e.Response(g.Call)
}

func fetchBody(g abi.Guest, a abi.Args) int64 {
	e, err := get[*host.Exchange](g, a.U32(0))
	if err != nil {
		return failed(g, err)
	}
	if err := g.Handles.Room(); err != nil {
		return failed(g, err)
	}
	body, bodyErr := e.TakeBody(g.Call)
	if bodyErr != nil {
		return failed(g, bodyErr)
	}
	return opened(g, &readable{r: body})
}
