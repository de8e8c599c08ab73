package memory

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Image is what linear memories begin with: sealed, so that nothing can change
// it, and shared by all Regions that map it.
type Image struct {
	file *os.File // nil where the kernel has no memory files
	// data is the file, mapped for reading, or a copy of the contents. Reading a
	// page that the file leaves out would make it one of the file, so that zero
	// says which those are.
	data     []byte
	zero     []bool // by page
	resident int64

	variant // instead of all that, if it has a base
}

// NewImage keeps a copy of contents, padded with zeros to whole pages of the
// machine.
func NewImage(contents []byte) (*Image, error) {
	fd, err := unix.MemfdCreate("mayfly-image", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // an old kernel, or a filter
		return copiedImage(contents), nil
	}
	if err != nil {
		return nil, fmt.Errorf("create memory file: %w", err)
	}
	i := &Image{file: os.NewFile(uintptr(fd), "mayfly-image")}
	if err := i.fill(contents); err != nil {
		i.Close()
		return nil, err
	}
	return i, nil
}

// copiedImage does without a memory file: every Region copies it whole.
func copiedImage(contents []byte) *Image {
	data := make([]byte, roundUp(len(contents)))
	copy(data, contents)
	return &Image{data: data, resident: int64(len(data))}
}

const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL

func (i *Image) fill(contents []byte) (err error) {
	size := roundUp(len(contents))
	if err := i.file.Truncate(int64(size)); err != nil {
		return fmt.Errorf("size memory file: %w", err)
	}
	if err := i.write(contents); err != nil {
		return fmt.Errorf("write memory file: %w", err)
	}
	if _, err := unix.FcntlInt(i.file.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("seal memory file: %w", err)
	}
	if size == 0 {
		return nil
	}
	i.data, err = unix.Mmap(int(i.file.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map memory file: %w", err)
	}
	return nil
}

// write leaves pages of zeros out, which then take no memory.
func (i *Image) write(contents []byte) error {
	i.zero = make([]bool, roundUp(len(contents))/pageSize)
	for n := range i.zero {
		page := contents[n*pageSize : min((n+1)*pageSize, len(contents))]
		if i.zero[n] = isZero(page); i.zero[n] {
			continue
		}
		if _, err := i.file.WriteAt(page, int64(n*pageSize)); err != nil {
			return err
		}
		i.resident += int64(pageSize)
	}
	return nil
}

// Size is the image's, in bytes: whole pages.
func (i *Image) Size() int {
	if i.base != nil {
		return i.size
	}
	return len(i.data)
}

// Contents returns a copy of the image.
func (i *Image) Contents() ([]byte, error) {
	if i.base != nil {
		return i.variant.contents()
	}
	contents := make([]byte, len(i.data))
	if i.file == nil {
		copy(contents, i.data)
		return contents, nil
	}
	if _, err := i.file.ReadAt(contents, 0); err != nil {
		return nil, fmt.Errorf("read memory file: %w", err)
	}
	return contents, nil
}

// copyTo writes whole pages of the image, from an offset on, into space.
func (i *Image) copyTo(space []byte, from int) (copied int) {
	if i.base != nil {
		return i.variant.copyTo(space, from)
	}
	if i.zero == nil {
		return copy(space, i.data[from:])
	}
	for copied < len(space) {
		zero, end := i.run(from+copied, from+len(space))
		if part := space[copied : end-from]; zero {
			clear(part)
		} else {
			copy(part, i.data[from+copied:])
		}
		copied = end - from
	}
	return copied
}

// run is how far pages reach that are alike.
func (i *Image) run(from, limit int) (zero bool, end int) {
	zero = i.zero[from/pageSize]
	for end = from + pageSize; end < limit && i.zero[end/pageSize] == zero; {
		end += pageSize
	}
	return zero, end
}

// isFile says whether mapTo maps memory files, and does not copy.
func (i *Image) isFile() bool { return i.file != nil || i.base != nil && i.base.isFile() }

// Share is the Image once more, for another owner. The Image stays open for as long.
func (i *Image) Share() *Image {
	return &Image{variant: variant{base: i, cut: i.Size(), size: i.Size()}}
}

// mapTo maps the beginning of the image, copy-on-write, in place of what is there.
func (i *Image) mapTo(space []byte) error {
	if i.base != nil {
		return i.variant.mapTo(space)
	}
	if len(space) == 0 {
		return nil
	}
	if i.file == nil {
		i.copyTo(space, 0)
		return nil
	}
	_, err := unix.MmapPtr(int(i.file.Fd()), 0, unsafe.Pointer(&space[0]), uintptr(len(space)),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("map image: %w", err)
	}
	return nil
}

// Resident is how much memory the image takes, in bytes: pages of zeros take none,
// and the base is not counted.
func (i *Image) Resident() int64 {
	if i.base != nil {
		return i.variant.resident()
	}
	return i.resident
}

// Close frees the image. Regions that map it stay as they are.
func (i *Image) Close() error {
	if i.base != nil {
		return i.variant.close()
	}
	if i.file == nil {
		return nil
	}
	if i.data != nil {
		unix.Munmap(i.data)
		i.data = nil
	}
	return i.file.Close()
}
