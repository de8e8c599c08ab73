package memory

import "github.com/tetratelabs/wazero/api"

// Shrink makes the memory as large as the image again and reports whether that was
// possible. memory is the engine's view of the Region, which has no way to say
// "less": but it adopts whatever Reallocate returns when it grows by a page. It
// can't grow where the module's own maximum is reached.
func (r *Region) Shrink(memory api.Memory) bool {
	if !r.Grown() {
		return true
	}
	r.shrinking = true
	_, ok := memory.Grow(1)
	r.shrinking = false
	return ok && !r.Grown()
}
