package wasm

// Limits bounds what Parse accepts, so that neither reading nor compiling a
// module can cost more than its size lets expect. Every field must be set.
type Limits struct {
	ModuleSize int // bytes, less than 4 GiB

	Types, Imports, Functions, Exports, Globals, Tables int

	// TableSize is what one table may have as its minimum, in entries. The
	// maximum is not refused: Rewrite lowers it.
	TableSize int
	// MemoryPages is what the memory may have as its minimum.
	MemoryPages int

	DataSegments    int
	ElementSegments int
	Elements        int // of all element segments together

	Params, Results int // of a function or block type

	FunctionSize int // bytes of one body
	Locals       int // of one function, after expansion, with parameters
	TotalLocals  int // of all functions

	// Nesting is how deep blocks may lie in each other, LoopNesting loops.
	Nesting, LoopNesting int
	// BranchTargets is for one br_table.
	BranchTargets int
	// Stack is how many operands a function may hold at one time.
	Stack int

	// Complexity bounds what a compiler's time grows with beyond the size of
	// the code; see complexity.go for its unit.
	Complexity int

	// Customs is for the content of all custom sections, in bytes.
	Customs int
}

// DefaultLimits fits every toolchain that was tried, with room: Go guests with
// 55,000 data segments and 12,000 functions, Ruby with 30 MB.
func DefaultLimits() Limits {
	return Limits{
		ModuleSize:      64 << 20,
		Types:           10_000, // Ruby and CPython have a few hundred
		Imports:         1_000,  // a JavaScript engine has 181
		Functions:       200_000,
		Exports:         10_000, // QuickJS has 447
		Globals:         10_000,
		Tables:          16,
		TableSize:       1_000_000,
		MemoryPages:     maxPages, // the memory budget decides, not the format
		DataSegments:    500_000,
		ElementSegments: 10_000,
		Elements:        1_000_000,
		Params:          128,
		Results:         64,
		FunctionSize:    2 << 20,
		Locals:          10_000,
		TotalLocals:     1_000_000, // Ruby has 110,000
		Nesting:         16_384,    // Go nests one block per call in a function
		LoopNesting:     64,
		BranchTargets:   65_536, // and has as many targets; the specification's suite has 24,615
		Stack:           10_000,
		Complexity:      250_000_000, // about 13 s; Ruby has 148 million, Python 20, a Go guest of 6 MB 15
		Customs:         64 << 20,    // names and DWARF; Rewrite drops them
	}
}
