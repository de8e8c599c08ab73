package space_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/kvtest"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/kv/space"
)

const mib = 1 << 20

// disk is a volume that others can fill.
type disk struct {
	mu     sync.Mutex
	volume space.Volume
	now    time.Time
	looks  int
}

func (d *disk) measure(string) (space.Volume, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	return d.volume, nil
}

func (d *disk) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *disk) set(free int64, passed time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.volume.Free, d.now = free, d.now.Add(passed)
}

func mustGuard(t *testing.T, d *disk, cfg space.Config) *space.Guard {
	t.Helper()
	cfg.Dir, cfg.Measure, cfg.Now = "data", d.measure, d.clock
	g, err := space.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestDefaultReserve(t *testing.T) {
	const least, gib = 108 * mib, 1 << 30
	for _, c := range []struct{ total, want int64 }{
		{64 * mib, least}, {256 * mib, least}, {2 * gib, gib / 2}, {4 * gib, gib}, {20 * gib, gib}, {100 * gib, 5 * gib}, {4096 * gib, 16 * gib},
	} {
		if got := space.DefaultReserve(c.total, least); got != c.want {
			t.Errorf("of %d MiB: got %d MiB, want %d", c.total/mib, got/mib, c.want/mib)
		}
	}
}

func TestStore(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, now func() time.Time) kv.Store {
		g, err := space.New(space.Config{Dir: t.TempDir(), Reserve: 1})
		if err != nil {
			t.Fatal(err)
		}
		return g.Store(memkv.New(memkv.Config{Now: now}))
	})
}

func TestChanges(t *testing.T) {
	kvtest.RunChanges(t, func(t *testing.T, now func() time.Time) kv.Store {
		g, err := space.New(space.Config{Dir: t.TempDir(), Reserve: 1})
		if err != nil {
			t.Fatal(err)
		}
		return g.Store(memkv.New(memkv.Config{Now: now}))
	})
}

func TestBlobs(t *testing.T) {
	kvtest.RunBlobs(t, func(t *testing.T) kv.Blobs {
		g, err := space.New(space.Config{Dir: t.TempDir(), Reserve: 1})
		if err != nil {
			t.Fatal(err)
		}
		return g.Blobs(memkv.NewBlobs())
	})
}

func TestFull(t *testing.T) {
	d := &disk{volume: space.Volume{Free: 12 * mib, Total: 100 * mib}, now: time.Unix(1, 0)}
	refusals := 0
	g := mustGuard(t, d, space.Config{Reserve: 10 * mib, Refused: func() { refusals++ }})
	s, b := g.Store(memkv.New(memkv.Config{})), g.Blobs(memkv.NewBlobs())
	put := func(key string, size int, opts kv.PutOptions) error {
		_, err := s.Put(t.Context(), key, make([]byte, size), opts)
		return err
	}
	wantPut := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}
	wantPut("what fits", put("a", mib, kv.PutOptions{}), nil)
	d.set(11*mib, 0)
	wantPut("what does not", put("b", mib, kv.PutOptions{}), kv.ErrNoSpace)
	_, err := b.Put(t.Context(), make([]byte, mib))
	wantPut("a blob", err, kv.ErrNoSpace)
	wantPut("Check", g.Check(mib+1), kv.ErrNoSpace)
	wantPut("what is smaller", put("c", mib/2, kv.PutOptions{}), nil)

	d.set(9*mib, 2*time.Second) // filled by others
	wantPut("CheckAccepted", g.CheckAccepted(1), nil)
	wantPut("a small write", put("d", 1, kv.PutOptions{}), kv.ErrNoSpace)
	wantPut("a mark for deletion", put("mark", 1, kv.PutOptions{Frees: true}), nil)
	wantPut("a deletion", s.Delete(t.Context(), "a", kv.DeleteOptions{}), nil)
	if _, err := s.Get(t.Context(), "c"); err != nil {
		t.Errorf("Get: %v", err)
	}
	if refusals != 1 {
		t.Errorf("told to reclaim %d times, want 1 in 5 s", refusals)
	}
	d.set(4*mib, 20*time.Second)
	wantPut("CheckAccepted beyond half of the reserve", g.CheckAccepted(1), kv.ErrNoSpace)
	wantPut("a deletion beyond half of the reserve", s.Delete(t.Context(), "c", kv.DeleteOptions{}), kv.ErrNoSpace)
	if refusals != 1 {
		t.Error("told to reclaim without the room for it")
	}
	d.set(20*mib, 0)
	wantPut("a write after space was freed", put("e", mib, kv.PutOptions{}), nil)
}

// Writes under way are not on the volume yet when it is looked at.
func TestUnderWay(t *testing.T) {
	d := &disk{volume: space.Volume{Free: 10 * mib, Total: 100 * mib}, now: time.Unix(1, 0)}
	g := mustGuard(t, d, space.Config{Reserve: mib})
	blocked := &blocking{Store: memkv.New(memkv.Config{}), entered: make(chan struct{}, 100), leave: make(chan struct{})}
	s := g.Store(blocked)
	var writes sync.WaitGroup
	for i := range 4 {
		writes.Go(func() { s.Put(t.Context(), fmt.Sprint(i), make([]byte, 2*mib), kv.PutOptions{}) })
		<-blocked.entered
	}
	if _, err := s.Put(t.Context(), "fifth", make([]byte, 2*mib), kv.PutOptions{}); !errors.Is(err, kv.ErrNoSpace) {
		t.Errorf("with 8 of 9 MiB under way: got %v, want ErrNoSpace", err)
	}
	close(blocked.leave)
	writes.Wait()
	if err := g.Check(2 * mib); err != nil {
		t.Errorf("after they are done, with the disk as it was: %v", err)
	}
}

// A look costs a system call: there is one a second, not one for each write.
func TestLooks(t *testing.T) {
	d := &disk{volume: space.Volume{Free: 100 * mib, Total: 200 * mib}, now: time.Unix(1, 0)}
	s := mustGuard(t, d, space.Config{Reserve: mib}).Store(memkv.New(memkv.Config{}))
	for i := range 1000 {
		d.set(100*mib, 10*time.Millisecond)
		if _, err := s.Put(t.Context(), fmt.Sprint(i), nil, kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if d.looks > 12 {
		t.Errorf("looked %d times in 10 s", d.looks)
	}
}

// What the system refuses is the same to callers.
func TestSystemRefuses(t *testing.T) {
	g, err := space.New(space.Config{Dir: t.TempDir(), Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		s := g.Store(failing{memkv.New(memkv.Config{}), cause})
		if _, err := s.Put(t.Context(), "k", nil, kv.PutOptions{}); !errors.Is(err, kv.ErrNoSpace) || !errors.Is(err, cause) {
			t.Errorf("got %v for %v", err, cause)
		}
	}
	if _, err := space.New(space.Config{Dir: "absent/directory"}); err == nil {
		t.Error("a directory that is not there has free space")
	}
	if v, err := space.Measure(t.TempDir()); err != nil || v.Total < v.Free || v.Free <= 0 {
		t.Errorf("got %+v, %v", v, err)
	}
	if !bytes.Contains([]byte(g.Check(1<<62).Error()), []byte("MiB are free on the volume of")) {
		t.Error("the refusal does not say how much is free")
	}
}
