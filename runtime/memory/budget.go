package memory

import "sync/atomic"

// Budget is memory that many share, and a part of another Budget if it has a
// parent. It is safe for concurrent use. A nil Budget has no end.
type Budget struct {
	parent *Budget
	most   int64 // bytes
	used   atomic.Int64
}

// NewBudget makes a Budget of most bytes; parent may be nil.
func NewBudget(most int64, parent *Budget) *Budget { return &Budget{parent: parent, most: most} }

// Take takes n bytes from the Budget and from those that it is a part of, or
// nothing, and reports whether there was enough.
func (b *Budget) Take(n int64) bool {
	if b == nil || n <= 0 {
		return true
	}
	if b.used.Add(n) > b.most || !b.parent.Take(n) {
		b.used.Add(-n)
		return false
	}
	return true
}

// Give gives back what was taken.
func (b *Budget) Give(n int64) {
	for ; b != nil; b = b.parent {
		b.used.Add(-n)
	}
}

// Used is how much is taken, in bytes.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}
