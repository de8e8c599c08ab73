//go:build !linux

package memory

import "github.com/tetratelabs/wazero/experimental"

// Image is what linear memories begin with. Without memfd it is a copy that each
// Region copies again.
type Image struct{ data []byte }

// NewImage keeps a copy of contents, padded with zeros to whole pages.
func NewImage(contents []byte) (*Image, error) {
	data := make([]byte, roundUp(len(contents)))
	copy(data, contents)
	return &Image{data}, nil
}

// Size is the image's, in bytes: whole pages.
func (i *Image) Size() int { return len(i.data) }

// Contents returns a copy of the image.
func (i *Image) Contents() ([]byte, error) { return append([]byte(nil), i.data...), nil }

// Resident is how much memory the image takes, in bytes.
func (i *Image) Resident() int64 { return int64(len(i.data)) }

// Close frees the image.
func (i *Image) Close() error { return nil }

// Region is the linear memory of one Instance. See region_linux.go for what its
// methods promise.
type Region struct {
	Refused bool

	image     *Image
	limit     int
	mem       []byte
	shrinking bool
	share
}

// NewRegion makes a memory of the image, which may grow to limit bytes.
func NewRegion(image *Image, limit int64) (*Region, error) {
	r := &Region{image: image, limit: roundUp(int(max(limit, int64(len(image.data)))))}
	r.mem = append(r.mem, image.data...)
	return r, nil
}

// Allocate implements experimental.MemoryAllocator.
func (r *Region) Allocate(_, _ uint64) experimental.LinearMemory { return r }

// Reallocate implements experimental.LinearMemory.
func (r *Region) Reallocate(size uint64) []byte {
	if r.shrinking {
		r.mem = r.mem[:len(r.image.data)]
		return r.mem
	}
	if size > uint64(r.limit) {
		r.Refused = true
		return nil
	}
	if r.inUse && !r.takeFor(int(size)) {
		r.Refused = true
		return nil
	}
	if n := int(size); n > len(r.mem) {
		r.mem = append(r.mem, make([]byte, n-len(r.mem))...)
	}
	return r.mem
}

// Free implements experimental.LinearMemory; the collector does the work.
func (r *Region) Free() {}

// Size is how much the guest sees, in bytes.
func (r *Region) Size() int { return len(r.mem) }

// Bytes is what the guest sees.
func (r *Region) Bytes() []byte { return r.mem }

// Grown reports whether the guest has more than the image.
func (r *Region) Grown() bool { return len(r.mem) > len(r.image.data) }

// Resident is how much memory the Region takes beside the Image, in bytes.
func (r *Region) Resident() int64 { return int64(cap(r.mem)) }

// Reset puts the image back.
func (r *Region) Reset() (copied int) {
	r.Refused = false
	return copy(r.mem, r.image.data)
}

// Unmap gives the memory back.
func (r *Region) Unmap() error {
	r.mem = nil
	return nil
}
