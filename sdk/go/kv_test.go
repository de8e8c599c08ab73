package mayfly_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

// withKV runs f with an empty namespace.
func withKV(t *testing.T, f func(kv mayfly.Namespace)) {
	t.Helper()
	var node mayflytest.Node
	node.KV("KV")
	run(t, &node, func() { f(mayfly.KV("KV")) })
}

func TestKVPutGetDelete(t *testing.T) {
	withKV(t, func(kv mayfly.Namespace) {
		if e, err := kv.Get("a"); !errors.Is(err, mayfly.ErrNotFound) || e.Revision != 0 {
			t.Errorf("get of nothing: %+v, %v", e, err)
		}
		revision, err := kv.Put("a", []byte("1"), mayfly.Metadata([]byte(`{"b":2}`)))
		if err != nil || revision <= 0 {
			t.Fatalf("put: %d, %v", revision, err)
		}
		e, err := kv.Get("a")
		if err != nil || e.Key != "a" || string(e.Value) != "1" || string(e.Metadata) != `{"b":2}` || e.Revision != revision || !e.Expires.IsZero() {
			t.Errorf("get: %+v, %v", e, err)
		}
		if err := kv.Delete("a"); err != nil {
			t.Errorf("delete: %v", err)
		}
		if err := kv.Delete("a"); err != nil {
			t.Errorf("delete of nothing: %v", err)
		}
		if _, err := kv.Get("a"); !errors.Is(err, mayfly.ErrNotFound) {
			t.Errorf("get after delete: %v", err)
		}
	})
}

// Without a cluster strong reads are as all others; without one that can be reached,
// they alone fail.
func TestKVStrong(t *testing.T) {
	var node mayflytest.Node
	stored := node.KV("KV")
	run(t, &node, func() {
		kv := mayfly.KV("KV")
		if _, err := kv.Strong().Put("a", []byte("1")); err != nil {
			t.Fatalf("put: %v", err)
		}
		for _, unreachable := range []bool{false, true} {
			stored.Unreachable = unreachable
			for name, kv := range map[string]mayfly.Namespace{"plain": kv, "strong": kv.Strong()} {
				e, getErr := kv.Get("a")
				page, _, listErr := kv.Page("", "", 10)
				fails := unreachable && name == "strong"
				if errors.Is(getErr, mayfly.ErrUnavailable) != fails || (string(e.Value) == "1") == fails {
					t.Errorf("%s get, unreachable=%v: %q, %v", name, unreachable, e.Value, getErr)
				}
				if errors.Is(listErr, mayfly.ErrUnavailable) != fails || (len(page) == 1) == fails {
					t.Errorf("%s list, unreachable=%v: %v, %v", name, unreachable, page, listErr)
				}
			}
		}
		if _, err := kv.Strong().Put("a", []byte("2")); err != nil {
			t.Errorf("put, unreachable: %v", err)
		}
		if _, err := mayfly.KV("OTHER").Strong().Get("a"); !errors.Is(err, mayfly.ErrDenied) {
			t.Errorf("get without a binding: %v", err)
		}
	})
}

func TestKVRevisions(t *testing.T) {
	withKV(t, func(kv mayfly.Namespace) {
		first, err := kv.Put("a", nil, mayfly.IfRevision(0))
		if err != nil {
			t.Fatalf("create: %v", err)
		}
		if _, err := kv.Put("a", nil, mayfly.IfRevision(0)); !errors.Is(err, mayfly.ErrConflict) {
			t.Errorf("create again: %v", err)
		}
		second, err := kv.Put("a", nil, mayfly.IfRevision(first))
		if err != nil || second <= first {
			t.Errorf("swap: %d after %d, %v", second, first, err)
		}
		if err := kv.Delete("a", mayfly.IfRevision(first)); !errors.Is(err, mayfly.ErrConflict) {
			t.Errorf("delete of an old revision: %v", err)
		}
		if err := kv.Delete("a", mayfly.IfRevision(second)); err != nil {
			t.Errorf("delete: %v", err)
		}
		if third, err := kv.Put("a", nil, mayfly.IfRevision(0)); err != nil || third <= second {
			t.Errorf("create after delete: %d after %d, %v", third, second, err)
		}
	})
}

func TestKVExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		withKV(t, func(kv mayfly.Namespace) {
			kv.Put("ttl", nil, mayfly.TTL(1500*time.Millisecond)) // 2 s
			kv.Put("at", nil, mayfly.ExpireAt(time.Now().Add(3*time.Second)))
			e, _ := kv.Get("ttl")
			if got := time.Until(e.Expires); got != 2*time.Second {
				t.Errorf("expires in %v", got)
			}
			for _, want := range [][]string{{"at", "ttl"}, {"at"}, nil} {
				time.Sleep(time.Second)
				if got := list(t, kv, ""); !slices.Equal(got, want) {
					t.Errorf("after %v: %q, want %q", time.Now(), got, want)
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	})
}

func list(t *testing.T, kv mayfly.Namespace, prefix string) (keys []string) {
	t.Helper()
	for e, err := range kv.List(prefix) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Value != nil {
			t.Errorf("value of %s in a listing", e.Key)
		}
		keys = append(keys, e.Key)
	}
	return keys
}

func TestKVList(t *testing.T) {
	withKV(t, func(kv mayfly.Namespace) {
		var want []string
		for i := range 2500 { // three pages
			key := "k" + strconv.Itoa(10000+i)
			want = append(want, key)
			kv.Put(key, []byte("v"))
		}
		kv.Put("j", nil)
		kv.Put("l", nil)
		if got := list(t, kv, "k"); !slices.Equal(got, want) {
			t.Errorf("got %d keys, want %d", len(got), len(want))
		}
		if got := list(t, kv, "k1249"); len(got) != 10 {
			t.Errorf("got %q", got)
		}
		for range kv.List("k") {
			break
		}
	})
}

func TestKVPage(t *testing.T) {
	withKV(t, func(kv mayfly.Namespace) {
		for _, key := range []string{"a", "b", "c"} {
			kv.Put(key, nil, mayfly.Metadata([]byte("1")))
		}
		entries, cursor, err := kv.Page("", "", 2)
		if err != nil || len(entries) != 2 || cursor == "" || string(entries[1].Metadata) != "1" {
			t.Errorf("first page: %+v, %q, %v", entries, cursor, err)
		}
		entries, cursor, err = kv.Page("", cursor, 2)
		if err != nil || len(entries) != 1 || entries[0].Key != "c" || cursor != "" {
			t.Errorf("second page: %+v, %q, %v", entries, cursor, err)
		}
	})
}

func TestKVRefuses(t *testing.T) {
	withKV(t, func(kv mayfly.Namespace) {
		put := func(key string, value []byte, o ...mayfly.WriteOption) error {
			_, err := kv.Put(key, value, o...)
			return err
		}
		_, _, page := kv.Page("", "", 1001)
		_, unbound := mayfly.KV("NONE").Get("a")
		for name, tt := range map[string]struct {
			got  error
			want mayfly.Code
		}{
			"empty key":      {put("", nil), mayfly.ErrInvalid},
			"long key":       {put(strings.Repeat("k", 513), nil), mayfly.ErrTooLarge},
			"large value":    {put("a", make([]byte, 25<<20+1)), mayfly.ErrTooLarge},
			"large metadata": {put("a", nil, mayfly.Metadata(make([]byte, 1025))), mayfly.ErrTooLarge},
			"bad metadata":   {put("a", nil, mayfly.Metadata([]byte("{"))), mayfly.ErrInvalid},
			"past":           {put("a", nil, mayfly.ExpireAt(time.Unix(1, 0))), mayfly.ErrInvalid},
			"limit":          {page, mayfly.ErrInvalid},
			"unbound":        {unbound, mayfly.ErrDenied},
		} {
			if !errors.Is(tt.got, tt.want) {
				t.Errorf("%s: got %v, want %v", name, tt.got, tt.want)
			}
		}
	})
}

func TestError(t *testing.T) {
	for want, err := range map[string]error{
		"kv get: not found": &mayfly.Error{Op: "kv get", Code: mayfly.ErrNotFound},
		"fetch: no route":   &mayfly.Error{Op: "fetch", Code: mayfly.ErrUnavailable, Message: "no route"},
		"a: internal error": &mayfly.Error{Op: "a", Code: 200},
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
	seen := map[string]bool{}
	for code := mayfly.ErrInvalid; code <= mayfly.ErrInternal; code++ {
		seen[code.Error()] = true
	}
	if len(seen) != 12 { // a bad handle is an internal error of this package
		t.Errorf("texts of the codes: %v", seen)
	}
}
