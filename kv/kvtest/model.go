package kvtest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// testModel does random operations on the store and on a plain map, and
// compares every answer.
func testModel(t *testing.T, f *fixture) {
	seed := rand.Uint64()
	m := &model{f: f, rand: rand.New(rand.NewPCG(seed, 0)), entries: map[string]kv.Entry{}}
	for step := range 2000 {
		m.step(t)
		if t.Failed() {
			t.Fatalf("seed %d, step %d", seed, step)
		}
	}
}

type model struct {
	f       *fixture
	rand    *rand.Rand
	entries map[string]kv.Entry // the expired ones too
	last    uint64              // revision
}

func (m *model) step(t *testing.T) {
	switch n := m.rand.IntN(100); {
	case n < 40:
		m.put(t)
	case n < 60:
		m.get(t)
	case n < 80:
		m.delete(t)
	case n < 95:
		m.list(t)
	default:
		m.f.clock.advance(time.Duration(m.rand.IntN(3000)) * time.Millisecond)
	}
}

// key is one of 84, of which many are prefixes of others.
func (m *model) key() string {
	b := make([]byte, 1+m.rand.IntN(3))
	for i := range b {
		b[i] = []byte{0, 'a', 'b', 0xff}[m.rand.IntN(4)]
	}
	return string(b)
}

func (m *model) live(key string) (kv.Entry, bool) {
	e, ok := m.entries[key]
	return e, ok && !e.ExpiredAt(m.f.clock.Now())
}

// condition is none, the right one, or one that is probably wrong.
func (m *model) condition(key string) kv.Condition {
	e, ok := m.live(key)
	switch {
	case m.rand.IntN(2) == 0:
		return kv.AnyRevision
	case m.rand.IntN(3) == 0:
		return kv.IfRevision(m.rand.Uint64N(m.last + 2))
	case !ok:
		return kv.IfRevision(0)
	}
	return kv.IfRevision(e.Revision)
}

func (m *model) put(t *testing.T) {
	key := m.key()
	value := pattern([]int{0, 10, 1000, 1025, 5000, 40 << 10}[m.rand.IntN(6)])
	opts := kv.PutOptions{If: m.condition(key)}
	if m.rand.IntN(2) == 0 {
		opts.Metadata = pattern(m.rand.IntN(50))
	}
	if m.rand.IntN(3) == 0 {
		opts.Expires = m.f.clock.Now().Add(time.Duration(m.rand.IntN(4000)-500) * time.Millisecond)
	}
	old, ok := m.live(key)
	revision, err := m.f.Put(t.Context(), key, value, opts)
	if !m.written(t, fmt.Sprintf("Put(%q)", key), old, ok, opts.If, err) {
		return
	}
	if revision <= m.last {
		t.Errorf("got revision %d after %d", revision, m.last)
	}
	m.last = revision
	m.entries[key] = kv.Entry{Key: key, Value: value, Metadata: opts.Metadata, Revision: revision, Expires: opts.Expires}
}

func (m *model) delete(t *testing.T) {
	key := m.key()
	opts := kv.DeleteOptions{If: m.condition(key)}
	old, ok := m.live(key)
	err := m.f.Delete(t.Context(), key, opts)
	if m.written(t, fmt.Sprintf("Delete(%q)", key), old, ok, opts.If, err) {
		delete(m.entries, key)
	}
}

// written compares the outcome of a conditional write with what it must be.
func (m *model) written(t *testing.T, what string, old kv.Entry, ok bool, cond kv.Condition, err error) bool {
	if !ok {
		old.Revision = 0
	}
	if cond.Holds(old.Revision) {
		wantErr(t, what, err, nil)
		return err == nil
	}
	wantErr(t, what, err, kv.ErrConflict)
	return false
}

func (m *model) get(t *testing.T) {
	key := m.key()
	want, ok := m.live(key)
	got, err := m.f.Get(t.Context(), key)
	if !ok {
		wantErr(t, fmt.Sprintf("Get(%q)", key), err, kv.ErrNotFound)
		return
	}
	if err != nil || !sameEntry(got, want) {
		t.Errorf("Get(%q) = %s, %v, want %s", key, show(got), err, show(want))
	}
}

func (m *model) list(t *testing.T) {
	opts := kv.ListOptions{Prefix: m.key()[1:], Limit: 1 + m.rand.IntN(20)}
	var want []kv.Entry
	for _, key := range slices.Sorted(maps.Keys(m.entries)) {
		if e, ok := m.live(key); ok && strings.HasPrefix(key, opts.Prefix) {
			e.Value = nil
			want = append(want, e)
		}
	}
	var got []kv.Entry
	for {
		page, err := m.f.List(t.Context(), opts)
		if err != nil {
			t.Errorf("List(%+v): %v", opts, err)
			return
		}
		got = append(got, page.Entries...)
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			break
		}
	}
	if !slices.EqualFunc(got, want, sameEntry) {
		t.Errorf("List(%+v): got %d entries, want %d: %v", opts, len(got), len(want), errors.Join(differences(got, want)...))
	}
}

func differences(got, want []kv.Entry) (all []error) {
	for i := range min(len(got), len(want)) {
		if !sameEntry(got[i], want[i]) {
			all = append(all, fmt.Errorf("entry %d: got %s, want %s", i, show(got[i]), show(want[i])))
		}
	}
	return all
}

// sameEntry compares what the store returned with what was written.
func sameEntry(got, want kv.Entry) bool {
	expires := want.Expires
	if !expires.IsZero() {
		expires = time.UnixMilli(expires.UnixMilli())
	}
	return got.Key == want.Key && got.Revision == want.Revision && got.Expires.Equal(expires) &&
		bytes.Equal(got.Value, want.Value) && bytes.Equal(got.Metadata, want.Metadata)
}
