package native_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
)

// Bits of flags.
const (
	relative = 1
	compare  = 2
)

// storing is a guest with the handle of a store.
func storing(t testing.TB, s kv.Store, limits host.Limits) (*guest, int64) {
	t.Helper()
	g := newGuest(t, hosttest.Invocation{Limits: limits, Bindings: &host.Bindings{KV: map[string]kv.Store{"STORE": s}}})
	return g, g.Must("kv_open", g.puts("STORE")...)
}

// empty is a store whose clock is that of hosttest.Services.
func empty() *memkv.Store {
	return memkv.New(memkv.Config{Now: func() time.Time { return hosttest.Epoch }})
}

func (g *guest) put(ns int64, key, value, metadata string, expires, revision, flags int64) int64 {
	g.t.Helper()
	return g.Must("kv_put", with(ns, g.puts(key, value, metadata), expires, revision, flags)...)
}

func (g *guest) get(ns int64, key string) int64 {
	g.t.Helper()
	return g.Must("kv_get", with(ns, g.puts(key))...)
}

// asked is a store whose reads find out that the cluster can't be reached, if they
// ask it.
type asked struct{ kv.Store }

func (asked) GetStrong(context.Context, string) (kv.Entry, error) {
	return kv.Entry{}, kv.ErrUnavailable
}

func (asked) Sync(context.Context) error { return kv.ErrUnavailable }

func TestKVStrong(t *testing.T) {
	g, ns := storing(t, asked{empty()}, host.Limits{})
	g.Must("kv_status", g.put(ns, "key", "value", "", 0, 0, 0))
	strong := g.Must("kv_strong", ns)
	g.Must("kv_status", g.get(ns, "key"))
	g.Want(unavailable, "kv_status", g.get(strong, "key"))
	g.Want(unavailable, "kv_status", g.Must("kv_list", with(strong, 0, 0, 0, 0, 10)...))
	g.Must("kv_status", g.put(strong, "key", "value", "", 0, 0, 0))
	g.End()
}

func TestKVOpen(t *testing.T) {
	g, ns := storing(t, empty(), host.Limits{})
	if again := g.Must("kv_open", g.puts("STORE")...); again == ns {
		t.Errorf("opening twice gave handle %d twice", ns)
	}
	for _, name := range []string{"", "store", "STORE\x00", strings.Repeat("x", 4000)} {
		g.Want(notFound, "kv_open", g.puts(name)...)
	}
	wantError(t, g, `no KV namespace is bound to "`+strings.Repeat("x", 64)+`"; add`)
	g.End()
}

func TestKV(t *testing.T) {
	store := empty()
	g, ns := storing(t, store, host.Limits{})
	absent := g.get(ns, "key")
	for _, f := range []string{"kv_status", "kv_revision", "kv_expires"} {
		g.Want(notFound, f, absent)
	}
	for _, f := range []string{"kv_value", "kv_metadata", "kv_page", "kv_cursor"} {
		g.Want(notFound, f, absent, 0, 100)
	}

	put := g.put(ns, "key", "value", `{"a":1}`, 0, 0, 0)
	g.Want(0, "kv_status", put)
	g.Want(1, "kv_revision", put)
	g.Want(0, "kv_value", put, 0, 100) // a write has none

	get := g.get(ns, "key")
	g.Want(0, "kv_status", get)
	g.Want(5, "kv_value", get, 100, 5)
	g.WantMemory(100, "value")
	g.Want(7, "kv_metadata", get, 200, 50)
	g.WantMemory(200, `{"a":1}`)
	g.Want(1, "kv_revision", get)
	g.Want(0, "kv_expires", get)
	g.Want(0, "kv_page", get, 300, 50)
	g.Want(0, "kv_cursor", get, 300, 50)

	g.Want(0, "kv_status", g.put(ns, "key", "", "", 0, 0, 0))
	g.Want(5, "kv_value", get, 400, 5) // a result doesn't change any more
	get = g.get(ns, "key")
	g.Want(0, "kv_value", get, 300, 50)
	g.Want(0, "kv_metadata", get, 300, 50)
	g.Want(2, "kv_revision", get)
	g.WantMemory(300, "?")

	for range 2 { // deleting what is gone is no failure
		del := g.Must("kv_delete", with(ns, g.puts("key"), 0, 0)...)
		g.Want(0, "kv_status", del)
		g.Want(0, "kv_revision", del)
	}
	g.Want(notFound, "kv_status", g.get(ns, "key"))
	if n := g.End().Usage.KVOperations; n != 8 {
		t.Errorf("%d operations, want 8", n)
	}
}

// What is wrong with the parameters is said at once.
func TestKVRefused(t *testing.T) {
	g, ns := storing(t, empty(), host.Limits{})
	g.Memory().Grow(401) // for a value over the limit
	const value, most = page, 25 << 20
	long := strings.Repeat("k", 513)
	for _, tt := range []struct {
		key  string
		want int64
	}{
		{"", invalid}, {".", invalid}, {"..", invalid}, {"\xff", invalid}, {long, tooLarge},
		{strings.Repeat("k", 4000), tooLarge},
	} {
		g.Want(tt.want, "kv_get", with(ns, g.puts(tt.key))...)
		g.Want(tt.want, "kv_put", with(ns, g.puts(tt.key), 0, 0, 0, 0, 0, 0, 0)...)
		g.Want(tt.want, "kv_delete", with(ns, g.puts(tt.key), 0, 0)...)
	}
	now := hosttest.Epoch.Unix()
	for _, tt := range []struct {
		name                 string
		size                 int64
		metadata             string
		expires, flags, want int64
	}{
		{"value", most + 1, "", 0, 0, tooLarge},
		{"metadata size", 0, `"` + strings.Repeat("m", 1023) + `"`, 0, 0, tooLarge},
		{"metadata", 0, "{", 0, 0, invalid},
		{"past", 0, "", now, 0, invalid},
		{"negative", 0, "", -1, 0, invalid},
		{"too late", 0, "", 1 << 40, 0, invalid},
		{"no time to live", 0, "", 0, relative, invalid},
		{"negative time to live", 0, "", -1 << 63, relative, invalid},
		{"endless time to live", 0, "", 1<<63 - 1, relative, invalid},
		{"unknown flag", 0, "", 0, 4, invalid},
		{"all flags", 0, "", 100, -1, invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g.Want(tt.want, "kv_put", with(ns, g.puts("key"), value, tt.size, g.puts(tt.metadata), tt.expires, 0, tt.flags)...)
		})
	}
	for _, flags := range []int64{relative, relative | compare, 4, -1} {
		g.Want(invalid, "kv_delete", with(ns, g.puts("key"), 0, flags)...)
	}
	g.Want(invalid, "kv_list", ns, 0, 0, 0, 0, 0)
	g.Want(tooLarge, "kv_list", with(ns, g.puts(long, ""), 1)...)
	g.Want(tooLarge, "kv_list", with(ns, g.puts("", strings.Repeat("c", 4000)), 1)...)
	g.Want(invalid, "kv_list", with(ns, g.puts("\xff", ""), 1)...)
	g.Want(invalid, "kv_list", ns, 0, 0, 0, 0, 1001)
	g.Want(invalid, "kv_list", ns, 0, 0, 0, 0, -1)

	if n := g.Call.Usage.KVOperations; n != 0 {
		t.Errorf("%d operations were counted, want none", n)
	}
	put := g.Must("kv_put", with(ns, g.puts(strings.Repeat("k", 512)), value, most, g.puts(`"`+strings.Repeat("m", 1022)+`"`), 0, 0, 0)...)
	g.Want(0, "kv_status", put)
	g.Want(most, "kv_value", g.get(ns, strings.Repeat("k", 512)), 0, 0)
	g.End()
}

func TestKVExpires(t *testing.T) {
	g, ns := storing(t, empty(), host.Limits{})
	now := hosttest.Epoch.Unix()
	for _, tt := range []struct{ expires, flags, want int64 }{
		{0, 0, 0},
		{now + 1, 0, now + 1},
		{now + 100, 0, now + 100},
		{1, relative, now + 1},
		{3600, relative, now + 3600},
		{3600, relative | compare, now + 3600},
	} {
		g.Want(0, "kv_status", g.Must("kv_delete", with(ns, g.puts("key"), 0, 0)...))
		g.Want(0, "kv_status", g.put(ns, "key", "value", "", tt.expires, 0, tt.flags))
		g.Want(tt.want, "kv_expires", g.get(ns, "key"))
	}
	g.End()
}

func TestKVCompare(t *testing.T) {
	g, ns := storing(t, empty(), host.Limits{})
	remove := func(revision, flags int64) int64 {
		return g.Must("kv_delete", with(ns, g.puts("key"), revision, flags)...)
	}
	g.Want(conflict, "kv_status", g.put(ns, "key", "a", "", 0, 1, compare)) // nothing is there
	g.Want(conflict, "kv_status", remove(1, compare))
	first := g.put(ns, "key", "a", "", 0, 0, compare)
	revision := g.Must("kv_revision", first)
	g.Want(conflict, "kv_status", g.put(ns, "key", "b", "", 0, 0, compare)) // something is there
	for _, stale := range []int64{revision + 1, -1, revision | 1<<32} {
		put := g.put(ns, "key", "b", "", 0, stale, compare)
		g.Want(conflict, "kv_status", put)
		g.Want(conflict, "kv_revision", put)
		g.Want(conflict, "kv_status", remove(stale, compare))
	}
	wantError(t, g, "conflict")
	second := g.Must("kv_revision", g.put(ns, "key", "b", "", 0, revision, compare))
	if second <= revision {
		t.Errorf("revision %d after %d, want a greater one", second, revision)
	}
	g.Want(0, "kv_status", g.put(ns, "key", "c", "", 0, revision, 0)) // not compared
	g.Want(conflict, "kv_status", remove(second, compare))
	g.Want(0, "kv_status", remove(g.Must("kv_revision", g.get(ns, "key")), compare))
	g.Want(0, "kv_status", remove(0, compare)) // nothing is there
	g.End()
}

func TestKVList(t *testing.T) {
	g, ns := storing(t, empty(), host.Limits{})
	expires := hosttest.Epoch.Unix() + 60
	for i, key := range []string{"b/2", "b/1", "a", "b/3", "c", "b/ü"} {
		g.Want(0, "kv_status", g.put(ns, key, "value", strings.Repeat(`{}`, i%2), expires*int64(i%2), 0, 0))
	}
	var got []string
	cursor, pages := "", 0
	for {
		op := g.Must("kv_list", with(ns, g.puts("b/", cursor), 3)...)
		g.Want(0, "kv_status", op)
		n := g.Must("kv_page", op, 20000, 2000)
		got = append(got, decodePage(t, g.Bytes(20000, uint32(n)))...)
		n = g.Must("kv_cursor", op, 30000, 2000)
		pages++
		if cursor = string(g.Bytes(30000, uint32(n))); cursor == "" {
			break
		}
	}
	want := []string{fmt.Sprintf("b/1 {} 2 %d", expires), "b/2  1 0", fmt.Sprintf("b/3 {} 4 %d", expires), fmt.Sprintf("b/ü {} 6 %d", expires)}
	if !slices.Equal(got, want) || pages != 2 {
		t.Errorf("got %q in %d pages, want %q in 2", got, pages, want)
	}
	none := g.Must("kv_list", with(ns, g.puts("nothing", ""), 1000)...)
	g.Want(0, "kv_page", none, 0, 10)
	g.Want(0, "kv_cursor", none, 0, 10)
	wrong := g.Must("kv_list", with(ns, g.puts("b/", "no cursor"), 3)...)
	g.Want(invalid, "kv_status", wrong)
	g.Want(invalid, "kv_page", wrong, 0, 10)
	g.End()
}

// decodePage follows the description of a page in ABI.md: "key metadata revision expiry".
func decodePage(t *testing.T, b []byte) (records []string) {
	t.Helper()
	for len(b) > 0 {
		key, metadata := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		revision, expires := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
		b = b[24:]
		records = append(records, fmt.Sprintf("%s %s %d %d", b[:key], b[key:key+metadata], revision, expires))
		b = b[key+metadata:]
	}
	return records
}

func TestKVLimit(t *testing.T) {
	g, ns := storing(t, empty(), host.Limits{KVOperations: 4})
	g.Want(0, "close", g.get(ns, "key")) // counts all the same
	g.put(ns, "key", "value", "", 0, 0, 0)
	g.Must("kv_list", ns, 0, 0, 0, 0, 1)
	g.Must("kv_delete", with(ns, g.puts("key"), 0, 0)...)
	g.Want(limit, "kv_get", with(ns, g.puts("key"))...)
	g.Want(limit, "kv_put", with(ns, g.puts("key"), 0, 0, 0, 0, 0, 0, 0)...)
	g.Want(limit, "kv_delete", with(ns, g.puts("key"), 0, 0)...)
	g.Want(limit, "kv_list", ns, 0, 0, 0, 0, 1)
	wantError(t, g, "limit of 4 operations of KV")
	if n := g.End().Usage.KVOperations; n != 4 {
		t.Errorf("%d operations, want 4", n)
	}
}

// scripted is a store whose Get and Put do as the test says.
type scripted struct {
	kv.Store
	get func(ctx context.Context) (kv.Entry, error)
}

func (s *scripted) Get(ctx context.Context, _ string) (kv.Entry, error) { return s.get(ctx) }

func (s *scripted) Put(ctx context.Context, _ string, value []byte, _ kv.PutOptions) (uint64, error) {
	_, err := s.get(ctx)
	return uint64(len(value)), err
}

func TestKVFails(t *testing.T) {
	for want, err := range map[int64]error{
		internal: errors.New("disk on fire"),
		timeout:  fmt.Errorf("get: %w", context.DeadlineExceeded),
		canceled: context.Canceled,
		conflict: fmt.Errorf("get: %w", kv.ErrConflict),
	} {
		g, ns := storing(t, &scripted{get: func(context.Context) (kv.Entry, error) { return kv.Entry{}, err }}, host.Limits{})
		op := g.get(ns, "key")
		g.Want(want, "kv_status", op)
		g.Want(want, "kv_value", op, 0, 10)
		g.Want(want, "kv_status", g.put(ns, "key", "value", "", 0, 0, 0))
		g.End()
	}
	g, ns := storing(t, &scripted{get: func(context.Context) (kv.Entry, error) { return kv.Entry{}, kv.ErrCorrupt }}, host.Limits{})
	g.Want(internal, "kv_status", g.get(ns, "key"))
	wantError(t, g, "internal error") // and nothing of the node's inside
	g.End()
}

// A closed operation is canceled, whether it is in the store or waits for its turn.
func TestKVClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside, most atomic.Int32
		g, ns := storing(t, &scripted{get: func(ctx context.Context) (kv.Entry, error) {
			if ctx.Err() == nil {
				most.Store(max(most.Load(), inside.Add(1)))
				<-ctx.Done()
				inside.Add(-1)
			}
			return kv.Entry{}, ctx.Err()
		}}, host.Limits{})
		var ops []int64
		for range 20 {
			ops = append(ops, g.get(ns, "key"))
			synctest.Wait()
		}
		for _, op := range slices.Backward(ops) {
			g.Want(0, "close", op)
			synctest.Wait()
		}
		if inside.Load() != 0 || most.Load() != 8 {
			t.Errorf("%d operations are still in the store, at most %d were, want 0 and 8", inside.Load(), most.Load())
		}
		g.End()
	})
}

// A store that answers only when the context ends holds nobody longer than that.
func TestKVEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, ns := storing(t, &scripted{get: func(ctx context.Context) (kv.Entry, error) {
			<-ctx.Done()
			return kv.Entry{}, ctx.Err()
		}}, host.Limits{Wall: 10 * time.Second})
		for range 20 {
			g.get(ns, "key")
		}
		started := time.Now()
		if got, err := g.Try("kv_status", g.get(ns, "key")); err == nil && got != timeout && got != canceled {
			t.Errorf("got %d, want %d or %d", got, timeout, canceled)
		}
		if took := time.Since(started); took != 10*time.Second {
			t.Errorf("took %v, want 10s", took)
		}
		g.End()
	})
}

// Values are held by the node until their operation is closed.
func TestKVHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, ns := storing(t, empty(), host.Limits{Held: 30})
		g.Want(0, "kv_status", g.put(ns, "key", "ten bytes.", `"ten byte"`, 0, 0, 0))
		first := g.get(ns, "key")
		g.Want(10, "kv_value", first, 0, 0)
		second := g.get(ns, "key")
		g.Want(limit, "kv_status", second)
		g.Want(limit, "kv_value", second, 0, 0)
		wantError(t, g, "30 bytes")
		g.Want(limit, "kv_put", with(ns, g.puts("other", "eleven byte", ""), 0, 0, 0)...)
		list := g.Must("kv_list", with(ns, g.puts("", ""), 10)...)
		g.Want(limit, "kv_page", list, 0, 0)
		g.Want(0, "kv_status", g.put(ns, "other", "ten bytes.", "", 0, 0, 0)) // held only until it is written

		g.Want(0, "close", first)
		third := g.get(ns, "key")
		g.Want(10, "kv_value", third, 0, 0)
		for range 100 { // what is closed early is not held for ever
			g.Want(0, "close", third)
			third = g.get(ns, "key")
		}
		synctest.Wait()
		g.Want(0, "close", third)
		synctest.Wait()
		g.Want(10, "kv_value", g.get(ns, "key"), 0, 0)
		g.End()
	})
}
