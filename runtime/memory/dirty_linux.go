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

// written is which pages of the image a Region has copies of, as far as that is known.
type written struct {
	runs   []run
	faults int64 // of the process, before runs were found; see pageFaults
	known  bool
}

// run is a row of pages, by offsets.
type run struct{ from, to int }

// resetDirty puts back the pages that were copied on write. Looking for them takes
// longer than copying those of a usual request, and is left out if no page was copied
// since the last time, here or anywhere: that takes a page fault, each of which the
// kernel counts.
func (r *Region) resetDirty() (copied int, err error) {
	faults := pageFaults()
	if !r.dirty.known || faults != r.dirty.faults || faults < 0 {
		r.dirty.faults = faults
		if err := r.findDirty(); err != nil {
			return 0, err
		}
	}
	for _, p := range r.dirty.runs {
		copied += r.image.copyTo(r.space[p.from:p.to], p.from)
	}
	return copied, nil
}

// findDirty finds the pages that are here, or swapped out, and no longer the file's. Those
// beyond keepMax are put back.
func (r *Region) findDirty() error {
	size := uint64(r.image.Size())
	base := uint64(uintptr(unsafe.Pointer(&r.space[0])))
	var regions [64]pageRegion
	room := keepMax
	r.dirty.runs, r.dirty.known = r.dirty.runs[:0], false
	for at := uint64(0); at < size; {
		n, end, err := scan(base+at, base+size, regions[:])
		if err != nil {
			return err
		}
		for _, p := range regions[:n] {
			found := run{int(p.start - base), min(int(p.end-base), int(p.start-base)+room)}
			r.dirty.runs = append(r.dirty.runs, found)
			if room -= found.to - found.from; room == 0 {
				return r.giveBackImage(uint64(found.to), size)
			}
		}
		at = end - base
	}
	r.dirty.known = true
	return nil
}

// giveBack drops what was written between two offsets: the next access finds the
// image there, or zeros behind it.
func (r *Region) giveBack(from, to uint64) error {
	return unix.Madvise(r.space[from:to], unix.MADV_DONTNEED)
}

// giveBackImage is giveBack where the image is.
func (r *Region) giveBackImage(from, to uint64) error {
	if err := r.giveBack(from, to); err != nil {
		return err
	}
	r.image.own.apply(r.space[from:to], int(from))
	return nil
}

// pageFaults counts those of the process's threads, of those that have ended too, or is
// negative where they can't be counted.
func pageFaults() int64 {
	if !faultsCount() {
		return -1
	}
	return faultsNow()
}

func faultsNow() int64 {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return -1
	}
	return int64(usage.Minflt) + int64(usage.Majflt)
}

// faultsCount tries whether the kernel counts: others than Linux that run its programs
// may not.
var faultsCount = sync.OnceValue(func() bool {
	page, err := unix.Mmap(-1, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return false
	}
	defer unix.Munmap(page)
	before := faultsNow()
	page[0] = 1
	return before >= 0 && faultsNow() > before
})

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
