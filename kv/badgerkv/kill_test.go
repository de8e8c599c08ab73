package badgerkv_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
)

const (
	killWriters = 4
	killKeys    = 20 // of each writer
)

// killValue is different for each key and number, and long for some.
func killValue(key string, n int) []byte {
	h := fnv.New64a()
	fmt.Fprint(h, key, n)
	sum := h.Sum(nil)
	return bytes.Repeat(sum, []int{1, 30, 500, 10_000}[int(sum[0])%4])
}

// writeForever overwrites keys and prints each write, "key number revision",
// before it starts ("?") and once it is acknowledged ("!").
func writeForever(dir string) error {
	s, err := badgerkv.Open(badgerkv.Config{Dir: dir})
	if err != nil {
		return err
	}
	if err := s.LogChanges(context.Background(), []kv.ChangeRule{{Prefix: "key/", Log: "log/"}}); err != nil {
		return err
	}
	var mu sync.Mutex // guards standard output
	say := func(mark, key string, n int, revision uint64) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(mark, key, n, revision)
	}
	var wg sync.WaitGroup
	for writer := range killWriters {
		wg.Go(func() {
			for {
				key := fmt.Sprintf("key/%d/%d", writer, rand.IntN(killKeys))
				n := rand.IntN(1 << 30)
				say("?", key, n, 0)
				revision, err := s.Put(context.Background(), key, killValue(key, n), kv.PutOptions{})
				if err != nil {
					exit(err)
				}
				say("!", key, n, revision)
			}
		})
	}
	wg.Wait()
	return nil
}

// ledger is what the writers of all rounds reported.
type ledger struct {
	acked    map[string]int // the number last acknowledged for a key
	begun    map[string]int // the one begun after it and not acknowledged
	revision uint64         // the highest
	writes   int
	changes  map[uint64]string // of which key, those acknowledged in this round
}

// read notes the reports until after the given number of acknowledgements stop
// is called, and then the rest.
func (l *ledger) read(t *testing.T, r io.Reader, acks int, stop func()) {
	lines := bufio.NewScanner(r)
	highest := l.revision
	for lines.Scan() {
		var mark, key string
		var n int
		var revision uint64
		if _, err := fmt.Sscan(lines.Text(), &mark, &key, &n, &revision); err != nil {
			continue // the line at which the process ended
		}
		if mark == "?" {
			l.begun[key] = n
			continue
		}
		if revision <= l.revision {
			t.Errorf("got revision %d, which an earlier process may have given (%d)", revision, l.revision)
		}
		highest = max(highest, revision)
		l.acked[key] = n
		l.changes[revision] = key
		delete(l.begun, key)
		l.writes++
		if acks--; acks == 0 {
			stop()
		}
	}
	l.revision = highest
}

// check finds each key with the number last acknowledged, or with the one begun
// after it.
func (l *ledger) check(t *testing.T, s kv.Store) {
	for key, acked := range l.acked {
		e, err := s.Get(t.Context(), key)
		if err != nil {
			t.Errorf("acknowledged write is lost: Get(%q): %v", key, err)
			continue
		}
		begun, ok := l.begun[key]
		switch {
		case bytes.Equal(e.Value, killValue(key, acked)):
		case ok && bytes.Equal(e.Value, killValue(key, begun)):
			l.acked[key] = begun // it will not change back
		default:
			t.Errorf("key %q has neither the acknowledged value nor the one that was being written", key)
		}
		l.revision = max(l.revision, e.Revision)
	}
	clear(l.begun)
}

// checkLog finds a record of each acknowledged write, and of each write that is there,
// and no record of one that is not. It removes them.
func (l *ledger) checkLog(t *testing.T, s kv.Store) {
	last := map[string]uint64{}
	for opts := (kv.ListOptions{Prefix: "log/"}); ; {
		page, err := s.List(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			c, err := kv.ChangeOf(e)
			if err != nil {
				t.Fatal(err)
			}
			if before, ok := last[c.Key]; ok && c.OldRevision != before {
				t.Errorf("key %q: the change to %d is one of %d, after that to %d", c.Key, c.Revision, c.OldRevision, before)
			}
			last[c.Key] = c.Revision
			delete(l.changes, c.Revision)
			if err := s.Delete(t.Context(), e.Key, kv.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			break
		}
	}
	for revision, key := range l.changes {
		t.Errorf("the change of key %q to %d was acknowledged and is not in the log", key, revision)
	}
	clear(l.changes)
	for key, revision := range last {
		if e, err := s.Get(t.Context(), key); err != nil || e.Revision != revision {
			t.Errorf("key %q has revision %d, %v, and its last change in the log is that to %d", key, e.Revision, err, revision)
		}
	}
}

// TestKill ends a writing process with SIGKILL, several times, and looks for
// every acknowledged write.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	l := &ledger{acked: map[string]int{}, begun: map[string]int{}, changes: map[uint64]string{}}
	for round := range 6 {
		cmd := child(t, "write", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		l.read(t, out, 50+rand.IntN(400), func() { cmd.Process.Signal(os.Kill) })
		cmd.Wait() // it was killed: the error is expected
		s, err := badgerkv.Open(badgerkv.Config{Dir: dir})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		l.check(t, s)
		l.checkLog(t, s)
		if err := s.Close(); err != nil {
			t.Fatalf("round %d: Close: %v", round, err)
		}
	}
	t.Logf("%d acknowledged writes to %d keys", l.writes, len(l.acked))
	if l.writes == 0 {
		t.Error("nothing was written")
	}
}
