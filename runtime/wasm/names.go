package wasm

import "unicode/utf8"

// maxNames is how many bytes of function names a rewritten module keeps: they
// make stack traces readable, and are read again at each load.
const maxNames = 256 << 10

const functionNames = 1 // the subsection

type functionName struct {
	index uint32
	name  string
}

// functionNames reads the names of functions, in ascending order of their
// index. A name section that is not well formed is, by the specification, no
// error: it has no names.
func (m *Module) functionNames() (list []functionName) {
	r := reader{data: m.data[:m.names.end], pos: m.names.start}
	for !r.atEnd() {
		id := r.byte()
		body := r.bytes(r.u32())
		if id == functionNames && r.err == nil {
			sub := reader{data: body}
			list = sub.nameMap(len(m.funcs))
			r.err = sub.err
		}
	}
	if r.err != nil {
		return nil
	}
	return list
}

func (r *reader) nameMap(functions int) (list []functionName) {
	next := uint32(0)
	for range r.count("names", functions) {
		f := functionName{index: r.u32()}
		f.name = string(r.bytes(r.u32()))
		if r.err != nil || f.index < next || uint64(f.index) >= uint64(functions) || !utf8.ValidString(f.name) {
			r.fail("malformed name map")
			return nil
		}
		next = f.index + 1
		list = append(list, f)
	}
	return list
}

// nameSection writes the function names with their new indices.
func (w *rewriter) nameSection() {
	if w.m.names.end-w.m.names.start == 0 {
		return
	}
	names := w.m.functionNames()
	var entries encoder
	entries.u32(uint32(len(names)))
	for _, f := range names {
		entries.u32(w.function(f.index))
		entries.name(f.name)
	}
	if len(names) == 0 || len(entries.out) > maxNames {
		return
	}
	var body encoder
	body.name("name")
	body.section(functionNames, entries.out)
	w.section(sectionCustom, body.out)
}
