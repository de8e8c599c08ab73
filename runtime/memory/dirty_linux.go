package memory

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// wholeCopyMax is the largest image that is cheaper to copy whole than to look
	// for what was written. BenchmarkReset shows where the two cross.
	wholeCopyMax = 64 << 10
	// keepMax is how much of what was written, in bytes, is copied back and so stays
	// in memory for the next request. Pages beyond it are given back: one request
	// that wrote everywhere must not make all later ones pay, nor hold on to memory.
	keepMax = 1 << 20
)

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

// resetDirty puts back the pages that were copied on write: those that are here,
// or swapped out, and no longer the file's.
func (r *Region) resetDirty() (copied int, err error) {
	size := uint64(r.image.Size())
	base := uint64(uintptr(unsafe.Pointer(&r.space[0])))
	var regions [64]pageRegion
	for at := uint64(0); at < size; {
		n, end, err := scan(base+at, base+size, regions[:])
		if err != nil {
			return copied, err
		}
		for _, p := range regions[:n] {
			from, to := p.start-base, min(p.end-base, p.start-base+keepMax-uint64(copied))
			copied += r.image.copyTo(r.space[from:to], int(from))
			if copied == keepMax {
				return copied, r.giveBack(to, size)
			}
		}
		at = end - base
	}
	return copied, nil
}

// giveBack drops what was written between two offsets: the next access finds the
// image there, or zeros behind it.
func (r *Region) giveBack(from, to uint64) error {
	return unix.Madvise(r.space[from:to], unix.MADV_DONTNEED)
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
	// It never waits for long, so Go's scheduler need not know of it.
	count, _, errno := unix.RawSyscall(unix.SYS_IOCTL, f.Fd(), pagemapScan, uintptr(unsafe.Pointer(&arg)))
	if errno != 0 {
		return 0, 0, fmt.Errorf("%w: %w", errNoScan, errno)
	}
	return int(count), arg.walkEnd, nil
}
