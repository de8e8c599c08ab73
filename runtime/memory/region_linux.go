package memory

import (
	"fmt"

	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// Region is the linear memory of one Instance: address space for the most it
// may become, with an Image mapped copy-on-write at its beginning and zeros
// behind. It belongs to the Instance's owner.
//
// It implements experimental.MemoryAllocator for that one memory.
type Region struct {
	Refused bool // the guest asked for more than there is space, or room in the Budget

	space     []byte // the whole mapping
	image     *Image
	size      int // bytes the guest sees
	written   int // bytes of the image that are this Region's own after Reset
	dirty     written
	shrinking bool
	share
}

// NewRegion reserves limit bytes of address space, which costs no memory, and
// maps the image.
func NewRegion(image *Image, limit int64) (*Region, error) {
	length := roundUp(int(max(limit, int64(image.Size()), 1)))
	space, err := unix.Mmap(-1, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve linear memory: %w", err)
	}
	r := &Region{space: space, image: image}
	if err := image.mapTo(space[:image.Size()]); err != nil {
		r.Unmap()
		return nil, err
	}
	return r, nil
}

// Allocate implements experimental.MemoryAllocator.
func (r *Region) Allocate(_, _ uint64) experimental.LinearMemory { return r }

// Reallocate implements experimental.LinearMemory. The first call, from the
// declared minimum, gives the guest the whole image.
func (r *Region) Reallocate(size uint64) []byte {
	if r.shrinking {
		return r.shrunk()
	}
	if size > uint64(len(r.space)) {
		r.Refused = true
		return nil
	}
	n := max(int(size), r.size, r.image.Size())
	if r.inUse && !r.takeFor(n) {
		r.Refused = true
		return nil
	}
	r.size = n
	return r.space[:n]
}

// Free implements experimental.LinearMemory. It does nothing: wazero calls it
// while guest code may still be on the stack. Unmap is for the owner to call.
func (r *Region) Free() {}

// Size is how much the guest sees, in bytes.
func (r *Region) Size() int { return r.size }

// Bytes is what the guest sees.
func (r *Region) Bytes() []byte { return r.space[:r.size] }

// Grown reports whether the guest has more than the image.
func (r *Region) Grown() bool { return r.size > r.image.Size() }

// shrunk leaves no trace of what was added: growing again finds zeros.
func (r *Region) shrunk() []byte {
	n := r.image.Size()
	if r.giveBack(uint64(n), uint64(r.size)) != nil {
		return nil
	}
	r.size = n
	return r.space[:n]
}

// Reset puts the image back: page by page where the guest has written, or as a
// whole where that is cheaper or the kernel can't tell. It reports how many bytes
// it copied. The Region must not have grown.
func (r *Region) Reset() (copied int) {
	r.Refused = false
	if r.image.isFile() && r.image.Size() > wholeCopyMax {
		if copied, err := r.resetDirty(); err == nil {
			r.written = copied
			return copied
		}
	}
	r.written = r.image.copyTo(r.space[:r.image.Size()], 0)
	return r.written
}

// Resident is how much memory the Region takes beside the Image after a Reset, in
// bytes.
func (r *Region) Resident() int64 { return int64(r.written) }

// Unmap gives the address space back. Nothing may use the memory any more.
func (r *Region) Unmap() error {
	space := r.space
	r.space = nil
	if space == nil {
		return nil
	}
	return unix.Munmap(space)
}
