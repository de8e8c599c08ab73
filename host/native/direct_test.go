package native_test

import "github.com/mayfly-run/mayfly/host/abi"

// capturing is a host module whose one function tells the test which Guest the
// adapter makes, so that host functions can be called without the engine.
func capturing(to *abi.Guest) *abi.Module {
	return &abi.Module{Name: "test", Funcs: []abi.Func{{
		Name: "capture",
		Do: func(g abi.Guest, _ abi.Args) int64 {
			*to = g
			return 0
		},
	}}}
}

func (g *guest) capture() abi.Guest {
	if _, err := g.Try("capture"); err != nil {
		g.t.Fatal(err)
	}
	return *g.self
}

// direct calls a function that takes and returns no more than numbers.
func direct(g abi.Guest, name string, args ...uint64) int64 {
	f, ok := own().Find(name)
	if !ok {
		panic("no function " + name)
	}
	return f.Do(g, args)
}
