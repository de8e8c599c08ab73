// Package space refuses writes while the volume that they would go to is nearly
// full. It has to be before them: Badger writes through mmap, and a page for
// which the disk has no block ends the process with SIGBUS. What is kept free is
// for what goes on without asking: compactions, the write-ahead log, other
// programs' logs.
//
// Start reading at New. A Guard costs a look at the clock for each write, and a
// system call once a second or for what seems to be the last write that fits.
package space

import (
	"fmt"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Volume is how much a file system holds, in bytes.
type Volume struct {
	Free  int64 // for this user
	Total int64 // 0 if it has no bound that can be told
}

// Config of a Guard. Dir is required.
type Config struct {
	Dir string // on the volume; it exists
	// Reserve is what is kept free, in bytes. Default: see DefaultReserve.
	Reserve int64
	// Least is the smallest reserve that DefaultReserve gives, in bytes: what the
	// database may need at one time for its own work.
	Least int64
	// Refused is called when a write was refused while there is room enough for
	// the database to reclaim some, at most every 5 seconds. It must not block.
	Refused func()
	// Measure looks at the volume. Default: the system's.
	Measure func(dir string) (Volume, error)
	Now     func() time.Time // default: time.Now
}

const (
	maxAge       = time.Second
	reclaimEvery = 5 * time.Second
)

// Guard watches one volume. It is safe for concurrent use.
type Guard struct {
	cfg     Config
	reserve int64

	mu       sync.Mutex // guards the fields below
	volume   Volume
	measured time.Time
	admitted int64 // bytes of writes since then, those under way included
	underWay int64 // bytes of writes
	told     time.Time
}

// New looks at the volume of cfg.Dir.
func New(cfg Config) (*Guard, error) {
	if cfg.Measure == nil {
		cfg.Measure = Measure
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Refused == nil {
		cfg.Refused = func() {}
	}
	g := &Guard{cfg: cfg, reserve: cfg.Reserve}
	if err := g.measure(cfg.Now()); err != nil {
		return nil, err
	}
	if g.reserve <= 0 {
		g.reserve = DefaultReserve(g.volume.Total, cfg.Least)
	}
	return g, nil
}

// DefaultReserve is what is kept free of a volume where nothing is said, all in
// bytes: 1 GiB, or 5 % where that is more, up to 16 GiB; but no more than a
// quarter of the volume, and no less than least.
func DefaultReserve(total, least int64) int64 {
	return max(least, min(max(1<<30, min(total/20, 16<<30)), total/4))
}

// Reserve is what is kept free, in bytes.
func (g *Guard) Reserve() int64 { return g.reserve }

// Free is what the volume has left, in bytes, with the reserve.
func (g *Guard) Free() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.volume.Free - g.admitted
}

// Has reports whether size bytes are left, with the reserve.
func (g *Guard) Has(size int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fits(size, 0)
}

// Check returns an error that wraps kv.ErrNoSpace unless there is room to write
// size bytes now.
func (g *Guard) Check(size int64) error { return g.check(size, g.reserve) }

// CheckAccepted is Check for what was accepted elsewhere, and is to be here too. As
// deletions it may use a half of the reserve.
func (g *Guard) CheckAccepted(size int64) error { return g.check(size, g.reserve/removalShare) }

func (g *Guard) check(size, floor int64) error {
	if err := g.take(size, floor); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.admitted -= size
	g.underWay -= size
	return nil
}

// removalShare is the part of the reserve that deletions may not use either: they
// are writes first, and free something later.
const removalShare = 2

// take lets size bytes be written if that leaves floor bytes free. The caller
// calls done with the same size after the write.
func (g *Guard) take(size, floor int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.cfg.Now()
	if age := now.Sub(g.measured); age < 0 || age > maxAge || !g.fits(size, floor) {
		if err := g.measure(now); err != nil {
			return err
		}
	}
	if !g.fits(size, floor) {
		g.tell(now)
		return fmt.Errorf("%d MiB are free on the volume of %s, %d MiB of which are kept for the node's own work: %w",
			g.volume.Free>>20, g.cfg.Dir, g.reserve>>20, kv.ErrNoSpace)
	}
	g.admitted += size
	g.underWay += size
	return nil
}

func (g *Guard) done(size int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay -= size
}

// fits needs g.mu.
func (g *Guard) fits(size, floor int64) bool {
	return g.volume.Total == 0 || g.volume.Free-g.admitted-size >= floor
}

// measure needs g.mu. What is under way may not be on the volume yet.
func (g *Guard) measure(now time.Time) (err error) {
	if g.volume, err = g.cfg.Measure(g.cfg.Dir); err != nil {
		return fmt.Errorf("read free space of %s: %w", g.cfg.Dir, err)
	}
	g.measured, g.admitted = now, g.underWay
	return nil
}

// tell needs g.mu. Reclaiming takes space before it gives some.
func (g *Guard) tell(now time.Time) {
	if g.volume.Free < g.reserve/removalShare || now.Sub(g.told) < reclaimEvery {
		return
	}
	g.told = now
	g.cfg.Refused()
}
