package wasm

// callGraph tells which functions can run more than once at the same time: those
// on a cycle of calls. Its nodes are the functions, imported ones first, and one
// for each type, which stands for all functions of that type that an indirect
// call may reach.
type callGraph struct {
	m     *Module
	types []int // the first type that is the same, by type
	taken [][]uint32
	tarjan

	recursive []bool // by node
	// deepest is, by node, the most bytes of native stack that functions which are
	// not recursive take on any path of calls from there.
	deepest []int
}

// tarjan is the state of Tarjan's algorithm for strongly connected components,
// without recursion: hostile modules have call chains of any length.
type tarjan struct {
	index, low []int // by node; index 0 is a node that was not visited
	next       int
	stack      []int // nodes whose component is not complete
	onStack    []bool
	visits     []visit
}

// visit is a node that is being visited, and the next of its edges.
type visit struct{ node, edge int }

func newCallGraph(m *Module) *callGraph {
	g := &callGraph{m: m}
	n := len(m.funcs) + len(m.types)
	g.index, g.low, g.onStack = make([]int, n), make([]int, n), make([]bool, n)
	g.recursive, g.deepest = make([]bool, n), make([]int, n)
	g.collectTypes()
	for node := range n {
		if g.index[node] == 0 {
			g.explore(node)
		}
	}
	return g
}

// collectTypes finds which functions indirect calls may reach.
func (g *callGraph) collectTypes() {
	first := map[string]int{}
	for i, t := range g.m.types {
		var e encoder
		e.funcType(t)
		if _, ok := first[string(e.out)]; !ok {
			first[string(e.out)] = i
		}
		g.types = append(g.types, first[string(e.out)])
	}
	g.taken = make([][]uint32, len(g.m.types))
	for f, declared := range g.m.declared {
		if t := g.types[g.m.funcs[f]]; declared {
			g.taken[t] = append(g.taken[t], uint32(f))
		}
	}
}

// edges are the nodes that a node calls. Those beyond the functions are types.
func (g *callGraph) edges(node int) []uint32 {
	switch f := node - g.m.importedFuncs; {
	case node >= len(g.m.funcs):
		return g.taken[g.types[node-len(g.m.funcs)]]
	case f >= 0:
		return g.m.calls[g.m.callsOf[f].start:g.m.callsOf[f].end]
	}
	return nil
}

// frame is what a node takes of the native stack, in bytes.
func (g *callGraph) frame(node int) int {
	if f := node - g.m.importedFuncs; f >= 0 && node < len(g.m.funcs) {
		return int(g.m.frames[f])
	}
	return 0
}

// explore visits all nodes that can be reached and were not visited yet.
func (g *callGraph) explore(from int) {
	g.enter(from)
	for len(g.visits) > 0 {
		v := &g.visits[len(g.visits)-1]
		edges := g.edges(v.node)
		if v.edge == len(edges) {
			g.leave(v.node)
			continue
		}
		to := int(edges[v.edge])
		v.edge++
		switch {
		case g.index[to] == 0:
			g.enter(to)
		case g.onStack[to]:
			g.low[v.node] = min(g.low[v.node], g.index[to])
		}
		if to == v.node {
			g.recursive[to] = true
		}
	}
}

func (g *callGraph) enter(node int) {
	g.next++
	g.index[node], g.low[node] = g.next, g.next
	g.stack = append(g.stack, node)
	g.onStack[node] = true
	g.visits = append(g.visits, visit{node: node})
}

func (g *callGraph) leave(node int) {
	g.visits = g.visits[:len(g.visits)-1]
	if n := len(g.visits); n > 0 {
		caller := g.visits[n-1].node
		g.low[caller] = min(g.low[caller], g.low[node])
	}
	if g.low[node] == g.index[node] {
		g.component(node)
	}
}

// component completes the one whose first node is given. All that its nodes call
// is complete already.
func (g *callGraph) component(first int) {
	start := len(g.stack) - 1
	for g.stack[start] != first {
		start--
	}
	nodes := g.stack[start:]
	g.stack = g.stack[:start]
	deepest := 0
	for _, node := range nodes {
		g.onStack[node] = false
		g.recursive[node] = g.recursive[node] || len(nodes) > 1
		for _, to := range g.edges(node) {
			deepest = max(deepest, g.deepest[to])
		}
	}
	if !g.recursive[first] {
		deepest += g.frame(first)
	}
	for _, node := range nodes {
		g.deepest[node] = deepest
	}
}
