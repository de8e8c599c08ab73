package secret_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
)

const text = "correct horse battery staple"

var place = secret.Place{Account: "shop", Function: "cart", Name: "API_KEY", ID: "1"}

func newStore(t testing.TB) kv.Store {
	t.Helper()
	s := memkv.New(memkv.Config{})
	t.Cleanup(func() { s.Close() })
	return s
}

func mustOpen(t testing.TB, cfg secret.Config) *secret.Keyring {
	t.Helper()
	r, err := secret.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustSeal(t testing.TB, r *secret.Keyring, p secret.Place) []byte {
	t.Helper()
	record, err := r.Seal(t.Context(), p, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func TestSealAndOpen(t *testing.T) {
	store, key := newStore(t), secret.NewKey()
	record := mustSeal(t, mustOpen(t, secret.Config{Store: store, Key: key}), place)
	if strings.Contains(string(record), text) {
		t.Error("the record has the text")
	}
	again := mustOpen(t, secret.Config{Store: store, Key: key})
	got, err := again.Open(place, record)
	if err != nil || string(got) != text {
		t.Errorf("got %q, %v; want %q", got, err, text)
	}
	if second := mustSeal(t, again, place); string(second) == string(record) {
		t.Error("the same text is sealed to the same bytes")
	}
}

// A record opens nowhere else. The places are such that their parts, written
// one after the other, are the same text.
func TestPlaces(t *testing.T) {
	r := mustOpen(t, secret.Config{Store: newStore(t), Key: secret.NewKey()})
	places := []secret.Place{
		{Account: "ab", Function: "c", Name: "d", ID: "e"},
		{Account: "a", Function: "bc", Name: "d", ID: "e"},
		{Account: "ab", Function: "cd", Name: "", ID: "e"},
		{Account: "ab", Function: "c", Name: "de", ID: ""},
		{Account: "ab", Function: "", Name: "cd", ID: "e"},
		{Account: "abc", Function: "", Name: "d", ID: "e"},
	}
	for _, sealed := range places {
		record := mustSeal(t, r, sealed)
		for _, p := range places {
			got, err := r.Open(p, record)
			if p == sealed && err != nil {
				t.Errorf("%+v: %v", p, err)
			}
			if p != sealed && (!errors.Is(err, secret.ErrDamaged) || len(got) > 0) {
				t.Errorf("sealed for %+v, opened for %+v: got %q, %v", sealed, p, got, err)
			}
		}
	}
}

// Every bit counts, and so does every byte that is missing.
func TestTampering(t *testing.T) {
	r := mustOpen(t, secret.Config{Store: newStore(t), Key: secret.NewKey()})
	record := mustSeal(t, r, place)
	for bit := range len(record) * 8 {
		record[bit/8] ^= 1 << (bit % 8)
		if got, err := r.Open(place, record); err == nil || len(got) > 0 {
			t.Errorf("bit %d: got %q, %v", bit, got, err)
		}
		record[bit/8] ^= 1 << (bit % 8)
	}
	for n := range len(record) {
		if got, err := r.Open(place, record[:n]); !errors.Is(err, secret.ErrDamaged) || len(got) > 0 {
			t.Errorf("%d bytes: got %q, %v", n, got, err)
		}
	}
	if _, err := r.Open(place, append(record, 0)); err == nil {
		t.Error("a byte more: no error")
	}
}

func TestTamperingWithDataKeys(t *testing.T) {
	store, key := newStore(t), secret.NewKey()
	r := mustOpen(t, secret.Config{Store: store, Key: key})
	mustSeal(t, r, place)
	mustSeal(t, r, secret.Place{Account: "other"})
	good, err := store.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	other, err := store.Get(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	try := func(record []byte) error {
		if _, err := store.Put(t.Context(), "shop", record, kv.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		_, err := secret.Open(t.Context(), secret.Config{Store: store, Key: key})
		return err
	}
	if err := try(other.Value); err == nil || !strings.Contains(err.Error(), "account shop") {
		t.Errorf("the data key of another account: %v", err)
	}
	for bit := range len(good.Value) * 8 {
		good.Value[bit/8] ^= 1 << (bit % 8)
		if err := try(good.Value); err == nil {
			t.Errorf("bit %d: no error", bit)
		}
		good.Value[bit/8] ^= 1 << (bit % 8)
	}
	if err := try(good.Value); err != nil {
		t.Error(err)
	}
}

func TestWrongKey(t *testing.T) {
	store, key, wrong := newStore(t), secret.NewKey(), secret.NewKey()
	mustSeal(t, mustOpen(t, secret.Config{Store: store, Key: key}), place)
	_, err := secret.Open(t.Context(), secret.Config{Store: store, Key: wrong})
	e, ok := errors.AsType[*secret.WrongKeyError](err)
	if !ok || e.Account != "shop" || e.Sealed != key.ID() || e.Given != wrong.ID() {
		t.Errorf("got %v, want a WrongKeyError with %s and %s", err, key.ID(), wrong.ID())
	}
	if _, err := secret.Open(t.Context(), secret.Config{Store: store}); err == nil {
		t.Error("no key: no error")
	}
}

// With a new key and the previous one, all data keys are sealed anew; a crash in
// the middle changes nothing about that.
func TestRotation(t *testing.T) {
	store, old, next := newStore(t), secret.NewKey(), secret.NewKey()
	r := mustOpen(t, secret.Config{Store: store, Key: old})
	records := map[string][]byte{}
	for _, account := range []string{"a", "b", "c"} {
		records[account] = mustSeal(t, r, secret.Place{Account: account})
	}
	dying := &failing{Store: store, left: 1}
	if _, err := secret.Open(t.Context(), secret.Config{Store: dying, Key: next, Previous: old}); !errors.Is(err, errCrashed) {
		t.Fatalf("got %v, want %v", err, errCrashed)
	}
	if _, err := secret.Open(t.Context(), secret.Config{Store: store, Key: next}); err == nil {
		t.Error("half of it is done, and the new key alone suffices")
	}
	if _, err := secret.Open(t.Context(), secret.Config{Store: store, Key: old}); err == nil {
		t.Error("half of it is done, and the old key alone suffices")
	}
	mustOpen(t, secret.Config{Store: store, Key: next, Previous: old})
	r = mustOpen(t, secret.Config{Store: store, Key: next})
	for account, record := range records {
		if got, err := r.Open(secret.Place{Account: account}, record); err != nil || string(got) != text {
			t.Errorf("%s: got %q, %v", account, got, err)
		}
	}
	if _, err := secret.Open(t.Context(), secret.Config{Store: store, Key: old}); err == nil {
		t.Error("the old key still opens")
	}
}

var errCrashed = errors.New("crashed")

// failing fails all writes but the first ones.
type failing struct {
	kv.Store
	left int
}

func (f *failing) Put(ctx context.Context, key string, value []byte, opts kv.PutOptions) (uint64, error) {
	if f.left--; f.left < 0 {
		return 0, errCrashed
	}
	return f.Store.Put(ctx, key, value, opts)
}

func TestForget(t *testing.T) {
	store, key := newStore(t), secret.NewKey()
	r := mustOpen(t, secret.Config{Store: store, Key: key})
	record := mustSeal(t, r, place)
	if ok, err := secret.Exist(t.Context(), store); !ok || err != nil {
		t.Errorf("got %v, %v; want a data key", ok, err)
	}
	if err := r.Forget(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if ok, err := secret.Exist(t.Context(), store); ok || err != nil {
		t.Errorf("got %v, %v; want no data key", ok, err)
	}
	if _, err := r.Open(place, record); !errors.Is(err, secret.ErrDamaged) {
		t.Errorf("got %v, want %v", err, secret.ErrDamaged)
	}
	mustSeal(t, r, place) // the account made anew has another key
	if _, err := r.Open(place, record); !errors.Is(err, secret.ErrDamaged) {
		t.Errorf("got %v, want %v", err, secret.ErrDamaged)
	}
}

func TestParallel(t *testing.T) {
	store, key := newStore(t), secret.NewKey()
	r := mustOpen(t, secret.Config{Store: store, Key: key})
	var work sync.WaitGroup
	for n := range 8 {
		work.Go(func() {
			for i := range 50 {
				p := secret.Place{Account: fmt.Sprint(i % 3), Name: fmt.Sprint(n, i)}
				record, err := r.Seal(context.Background(), p, []byte(p.Name))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := r.Open(p, record); err != nil || string(got) != p.Name {
					t.Errorf("got %q, %v; want %q", got, err, p.Name)
				}
			}
		})
	}
	work.Wait()
	mustOpen(t, secret.Config{Store: store, Key: key})
}

// FuzzOpen: nothing but what Seal made opens, and nothing panics.
func FuzzOpen(f *testing.F) {
	r, err := secret.Open(context.Background(), secret.Config{Store: memkv.New(memkv.Config{}), Key: secret.NewKey()})
	if err != nil {
		f.Fatal(err)
	}
	record, err := r.Seal(context.Background(), place, []byte(text))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(nil))
	f.Add(record)
	f.Add(record[:9])
	f.Add(append([]byte{2}, record[1:]...))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := r.Open(place, data)
		if string(data) == string(record) {
			if err != nil || string(got) != text {
				t.Errorf("got %q, %v; want %q", got, err, text)
			}
			return
		}
		if err == nil || got != nil {
			t.Errorf("%x opened to %q, %v", data, got, err)
		}
	})
}
