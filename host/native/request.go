package native

import (
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Request".
var requestFuncs = []abi.Func{
	{Name: "request_method", Params: buffer, Results: i32, Do: requestMethod},
	{Name: "request_url", Params: buffer, Results: i32, Do: requestURL},
	{Name: "request_client", Params: buffer, Results: i32, Do: requestClient},
	{Name: "request_headers", Params: buffer, Results: i32, Do: requestHeaders},
	{Name: "request_header", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32}, Results: i32, Do: requestHeader},
	{Name: "request_body", Results: i32, Do: requestBody},
}

// Signatures that recur in the tables.
var (
	i32    = []abi.Type{abi.I32}
	i64    = []abi.Type{abi.I64}
	buffer = []abi.Type{abi.I32, abi.I32}
)

func requestMethod(g abi.Guest, a abi.Args) int64 {
	return g.Offer(g.Request.Method, a.U32(0), a.U32(1))
}

func requestURL(g abi.Guest, a abi.Args) int64 {
	return g.Offer(g.Request.URL, a.U32(0), a.U32(1))
}

func requestClient(g abi.Guest, a abi.Args) int64 {
	var text [64]byte
	return g.Offer(g.Request.Client.AppendTo(text[:0]), a.U32(0), a.U32(1))
}

func requestHeaders(g abi.Guest, a abi.Args) int64 {
	return g.Offer(g.Request.Headers, a.U32(0), a.U32(1))
}

func requestHeader(g abi.Guest, a abi.Args) int64 {
	name := g.Bytes(a.U32(0), a.U32(1))
	buf, size := a.U32(2), a.U32(3)
	if len(name) > host.MaxHeaders {
		return failed(g, errNoField)
	}
	value, ok := g.Request.Headers.Get(string(name))
	if !ok {
		return failed(g, errNoField)
	}
	return g.Offer(value, buf, size)
}

func requestBody(g abi.Guest, _ abi.Args) int64 {
	switch {
	case g.Request.Body == nil:
		return failed(g, errNoBody)
	case g.BodyTaken:
		return failed(g, host.Errorf(host.CodeState, "request_body gives its handle once"))
	}
	if err := g.Handles.Room(); err != nil {
		return failed(g, err)
	}
	g.BodyTaken = true
	return opened(g, &readable{r: g.Request.Body})
}
