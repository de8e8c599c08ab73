// Package memory provides the linear memory of instances.
package memory

import "github.com/tetratelabs/wazero/experimental"

// Limited is the linear memory of one instance, bounded in bytes. It implements
// experimental.MemoryAllocator for that one memory. The zero Limited allows nothing.
type Limited struct {
	Limit   int64 // bytes
	Peak    int64 // most bytes the guest has had
	Refused bool  // the guest asked for more than Limit
	buf     []byte
}

// Allocate implements experimental.MemoryAllocator. Room is made as the memory
// grows, never ahead for a declared maximum.
func (l *Limited) Allocate(_, _ uint64) experimental.LinearMemory { return l }

// Reallocate implements experimental.LinearMemory: it returns size bytes with
// what was there before, the rest zero, or nil beyond Limit.
func (l *Limited) Reallocate(size uint64) []byte {
	if size > uint64(l.Limit) {
		l.Refused = true
		return nil
	}
	if size > uint64(cap(l.buf)) {
		grown := make([]byte, size, min(max(size, 2*uint64(cap(l.buf))), uint64(l.Limit)))
		copy(grown, l.buf)
		l.buf = grown
	}
	l.buf = l.buf[:size]
	l.Peak = max(l.Peak, int64(size))
	return l.buf
}

// Free implements experimental.LinearMemory. It does nothing: wazero calls it
// while guest code may still be on the stack, and the collector frees the
// memory once nobody holds it.
func (l *Limited) Free() {}
