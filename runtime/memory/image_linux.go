package memory

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Image is what linear memories begin with: sealed, so that nothing can change
// it, and shared by all Regions that map it.
type Image struct {
	file     *os.File // nil where the kernel has no memory files
	data     []byte   // the file, mapped for reading, or a copy of the contents
	resident int64
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
	if i.resident, err = writeSparse(i.file, contents); err != nil {
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

// writeSparse leaves pages of zeros out, which then take no memory. It returns how
// much the others take.
func writeSparse(f *os.File, contents []byte) (resident int64, err error) {
	for at := 0; at < len(contents); at += pageSize {
		page := contents[at:min(at+pageSize, len(contents))]
		if isZero(page) {
			continue
		}
		if _, err := f.WriteAt(page, int64(at)); err != nil {
			return resident, err
		}
		resident += int64(pageSize)
	}
	return resident, nil
}

// Bytes is the image's content, padded. It must not be written to.
func (i *Image) Bytes() []byte { return i.data }

// Resident is how much memory the image takes, in bytes: pages of zeros take none.
func (i *Image) Resident() int64 { return i.resident }

// Close frees the image. Regions that map it stay as they are.
func (i *Image) Close() error {
	if i.file == nil {
		return nil
	}
	if i.data != nil {
		unix.Munmap(i.data)
		i.data = nil
	}
	return i.file.Close()
}
