package native

import (
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Fetchers".
var fetcherFuncs = []abi.Func{
	{Name: "fetcher_open", Params: buffer, Results: i32, Do: fetcherOpen},
	{Name: "fetcher_send", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32}, Results: i32, Do: fetcherSend},
	{Name: "fetcher_stream", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32}, Results: i32, Do: fetcherStream},
}

// fetcher is what the handle of a binding that answers requests names.
type fetcher struct{ host.Fetcher }

func fetcherOpen(g abi.Guest, a abi.Args) int64 {
	name := g.Bytes(a.U32(0), a.U32(1))
	f, ok := g.Bindings.Fetchers[string(name)]
	if !ok {
		return failed(g, host.Errorf(host.CodeNotFound, "nothing that answers requests is bound to %.64q; add it to [[services]], or as the binding in [assets]", name))
	}
	return opened(g, fetcher{f})
}

func fetcherSend(g abi.Guest, a abi.Args) int64 {
	send, req, err := fetcherTarget(g, a)
	if err != nil {
		return failed(g, err)
	}
	return fetchBegin(g, send, req, g.Bytes(a.U32(7), a.U32(8)), false)
}

func fetcherStream(g abi.Guest, a abi.Args) int64 {
	send, req, err := fetcherTarget(g, a)
	if err != nil {
		return failed(g, err)
	}
	return fetchBegin(g, send, req, nil, true)
}

// fetcherTarget reads the parameters that both kinds of request begin with.
func fetcherTarget(g abi.Guest, a abi.Args) (sender, *host.FetchRequest, *host.Error) {
	f, err := get[fetcher](g, a.U32(0))
	if err != nil {
		return nil, nil, err
	}
	req, err := fetchRequest(g, a[1:])
	send := func(req *host.FetchRequest, body []byte, streamed bool) (*host.Exchange, *host.Error) {
		return g.FetchFrom(f.Fetcher, req, body, streamed)
	}
	return send, req, err
}
