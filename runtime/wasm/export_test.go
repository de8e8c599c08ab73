package wasm

import "slices"

// Frames are the estimates for the defined functions, in bytes.
func (m *Module) Frames() []uint32 { return m.frames }

// Recursive says which functions can run more than once at the same time, imported
// ones first, and Deepest how many bytes the others take at most.
func (m *Module) Recursive() []bool { return newCallGraph(m).recursive[:len(m.funcs)] }

func (m *Module) Deepest() int { return slices.Max(newCallGraph(m).deepest) }
