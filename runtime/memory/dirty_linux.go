package memory

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wholeCopyMax is the largest image that is cheaper to copy whole than to look
// for what was written. BenchmarkReset shows where the two cross.
const wholeCopyMax = 128 << 10

// PAGEMAP_SCAN and its argument, from linux/fs.h (Linux 6.7).
const pagemapScan = 0xc0606610

const (
	pageIsFile    = 1 << 2
	pageIsPresent = 1 << 3
	pageIsSwapped = 1 << 4
)

type pageRegion struct{ start, end, categories uint64 }

type scanArg struct {
	size, flags, start, end, walkEnd                        uint64
	vec, vecLen, maxPages                                   uint64
	categoryInverted, categoryMask, categoryAnyOf, returned uint64
}

// pagemap is /proc/self/pagemap, opened once: it is about this process, not
// about anything configurable.
var pagemap = sync.OnceValues(func() (*os.File, error) { return os.Open("/proc/self/pagemap") })

// errNoScan: the kernel is older than 6.7 or forbids the scan.
var errNoScan = errors.New("PAGEMAP_SCAN is not available")

// resetDirty copies back the pages that were copied on write: those that are
// here, or swapped out, and no longer the file's.
func (r *Region) resetDirty() (copied int, err error) {
	image := r.image.data
	base := uint64(uintptr(unsafe.Pointer(&r.space[0])))
	var regions [64]pageRegion
	for at := uint64(0); at < uint64(len(image)); {
		n, end, err := scan(base+at, base+uint64(len(image)), regions[:])
		if err != nil {
			return copied, err
		}
		for _, p := range regions[:n] {
			copied += copy(r.space[p.start-base:p.end-base], image[p.start-base:p.end-base])
		}
		at = end - base
	}
	return copied, nil
}

// scan finds pages that are PRESENT or SWAPPED and not FILE between two
// addresses, and returns where it stopped.
func scan(start, end uint64, regions []pageRegion) (n int, walkEnd uint64, err error) {
	f, err := pagemap()
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errNoScan, err)
	}
	arg := scanArg{
		start: start, end: end,
		vec: uint64(uintptr(unsafe.Pointer(&regions[0]))), vecLen: uint64(len(regions)),
		categoryInverted: pageIsFile,
		categoryMask:     pageIsFile,
		categoryAnyOf:    pageIsPresent | pageIsSwapped,
		returned:         pageIsPresent,
	}
	arg.size = uint64(unsafe.Sizeof(arg))
	count, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), pagemapScan, uintptr(unsafe.Pointer(&arg)))
	if errno != 0 {
		return 0, 0, fmt.Errorf("%w: %w", errNoScan, errno)
	}
	return int(count), arg.walkEnd, nil
}
