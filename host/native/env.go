package native

import (
	"maps"
	"slices"

	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Environment" and "Conventions".
var envFuncs = []abi.Func{
	{Name: "env_get", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32}, Results: i32, Do: envGet},
	{Name: "env_names", Params: buffer, Results: i32, Do: envNames},
	{Name: "last_error", Params: buffer, Results: i32, Do: lastError},
}

func envGet(g abi.Guest, a abi.Args) int64 {
	v, ok := g.Bindings.Env[string(g.Bytes(a.U32(0), a.U32(1)))]
	if !ok {
		return failed(g, errNoVariable)
	}
	return g.OfferString(v.Value, a.U32(2), a.U32(3))
}

func envNames(g abi.Guest, a abi.Args) int64 {
	var names []byte
	for _, name := range slices.Sorted(maps.Keys(g.Bindings.Env)) {
		names = append(append(names, name...), 0)
	}
	return g.Offer(names, a.U32(0), a.U32(1))
}

func lastError(g abi.Guest, a abi.Args) int64 {
	var text string
	if g.LastError != nil {
		text = g.LastError.Msg
	}
	return g.OfferString(text, a.U32(0), a.U32(1))
}
