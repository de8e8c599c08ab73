package memory

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// File is the memory file that the image lies in, for another process to open with
// OpenImage, and which of its pages it leaves out because they are zeros. The file
// is sealed and belongs to the Image.
func (i *Image) File() (file *os.File, zero []bool, err error) {
	if i.base != nil {
		return nil, nil, errVariant
	}
	if i.file == nil {
		return nil, nil, errors.New("this kernel has no memory files: images can't be shared with other processes")
	}
	return i.file, i.zero, nil
}

// OpenImage makes an Image of another process's. It takes the file over.
func OpenImage(file *os.File, zero []bool) (*Image, error) {
	i := &Image{file: file, zero: zero}
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("open image: %w", err)
	}
	size := len(zero) * pageSize
	if info.Size() != int64(size) {
		return nil, fmt.Errorf("open image: a file of %d bytes for %d pages", info.Size(), len(zero))
	}
	if size == 0 {
		return i, nil
	}
	i.data, err = unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map image: %w", err)
	}
	return i, nil
}

// OpenPagemap opens what Reset looks at, for a process that can't open files later.
func OpenPagemap() error {
	_, err := pagemap()
	return err
}
