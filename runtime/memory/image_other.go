//go:build !linux

package memory

import "github.com/tetratelabs/wazero/experimental"

// Image is what linear memories begin with. Without memfd it is a copy that each
// Region copies again.
type Image struct {
	data []byte

	// A Variant has these instead.
	base *Image
	size int
	own  words
}

// NewImage keeps a copy of contents, padded with zeros to whole pages.
func NewImage(contents []byte) (*Image, error) {
	data := make([]byte, roundUp(len(contents)))
	copy(data, contents)
	return &Image{data: data}, nil
}

// mostWords is how many words a Variant may have of its own.
const mostWords = 16 << 10

// NewVariant keeps a copy of contents, as NewImage does, by what it has beside base
// where that is little. The base stays open for as long as the Image and its Regions.
func NewVariant(base *Image, contents []byte) (*Image, error) {
	if base.base != nil || len(contents) < base.Size() || len(contents)%pageSize != 0 {
		return NewImage(contents)
	}
	own, few := wordsOf(contents, base, mostWords)
	if !few {
		return NewImage(contents)
	}
	return &Image{base: base, size: len(contents), own: own}, nil
}

// Share is the Image once more, for another owner. The Image stays open for as long.
func (i *Image) Share() *Image { return &Image{base: i, size: i.Size()} }

// page is the page at an offset, or nil if it is behind the end.
func (i *Image) page(from int) []byte {
	if from >= len(i.data) {
		return nil
	}
	return i.data[from : from+pageSize]
}

// copyTo writes the image, which is as long as space.
func (i *Image) copyTo(space []byte) int {
	if i.base == nil {
		return copy(space, i.data)
	}
	clear(space[copy(space, i.base.data):])
	i.own.apply(space, 0)
	return len(space)
}

// Size is the image's, in bytes: whole pages.
func (i *Image) Size() int { return max(len(i.data), i.size) }

// Contents returns a copy of the image.
func (i *Image) Contents() ([]byte, error) {
	contents := make([]byte, i.Size())
	i.copyTo(contents)
	return contents, nil
}

// Resident is how much memory the image takes, in bytes; the base is not counted.
func (i *Image) Resident() int64 { return int64(len(i.data)) + i.own.size() }

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
	r := &Region{image: image, limit: roundUp(int(max(limit, int64(image.Size()))))}
	r.mem = make([]byte, image.Size())
	image.copyTo(r.mem)
	return r, nil
}

// Allocate implements experimental.MemoryAllocator.
func (r *Region) Allocate(_, _ uint64) experimental.LinearMemory { return r }

// Reallocate implements experimental.LinearMemory.
func (r *Region) Reallocate(size uint64) []byte {
	if r.shrinking {
		r.mem = r.mem[:r.image.Size()]
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
func (r *Region) Grown() bool { return len(r.mem) > r.image.Size() }

// Resident is how much memory the Region takes beside the Image, in bytes.
func (r *Region) Resident() int64 { return int64(cap(r.mem)) }

// Reset puts the image back.
func (r *Region) Reset() (copied int) {
	r.Refused = false
	return r.image.copyTo(r.mem[:r.image.Size()])
}

// Unmap gives the memory back.
func (r *Region) Unmap() error {
	r.mem = nil
	return nil
}
