package backup_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/backup"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
	"github.com/mayfly-run/mayfly/kv/fileblob"
	"github.com/mayfly-run/mayfly/kv/memkv"
)

// stored is a store with blobs.
type stored struct {
	store kv.Store
	blobs kv.Blobs
}

// kinds open each implementation, empty, with revisions after the given one.
var kinds = map[string]func(t testing.TB, after uint64) stored{
	"memkv": inMemory,
	"badgerkv": func(t testing.TB, after uint64) stored {
		s, err := badgerkv.Open(badgerkv.Config{Dir: t.TempDir(), NoSync: true, After: after})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		blobs, err := fileblob.Open(filepath.Join(t.TempDir(), "blobs"))
		if err != nil {
			t.Fatal(err)
		}
		return stored{s, blobs}
	},
}

func inMemory(t testing.TB, after uint64) stored {
	s := memkv.New(memkv.Config{After: after})
	t.Cleanup(func() { s.Close() })
	return stored{s, memkv.NewBlobs()}
}

func (s stored) mustPut(t testing.TB, key string, value []byte, opts kv.PutOptions) uint64 {
	t.Helper()
	revision, err := s.store.Put(context.Background(), key, value, opts)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// mustFill puts in entries of all sorts, two of which name blobs.
func (s stored) mustFill(t testing.TB) {
	t.Helper()
	expires := time.Now().Add(time.Hour)
	for i := range 60 {
		value := bytes.Repeat([]byte{byte(i)}, []int{0, 20, 5000, 70_000}[i%4])
		opts := kv.PutOptions{Metadata: fmt.Appendf(nil, `{"n":%d}`, i)}
		if i%5 == 0 {
			opts = kv.PutOptions{Expires: expires}
		}
		s.mustPut(t, fmt.Sprintf("kv/%02d\x00\xff", i), value, opts)
	}
	for i := range 2 {
		d, err := s.blobs.Put(t.Context(), bytes.Repeat([]byte{byte(i)}, 10_000))
		if err != nil {
			t.Fatal(err)
		}
		s.mustPut(t, fmt.Sprint("named/", i), nil, kv.PutOptions{Metadata: []byte(d.String())})
		s.mustPut(t, fmt.Sprint("named/again/", i), nil, kv.PutOptions{Metadata: []byte(d.String())})
	}
	if _, err := s.blobs.Put(t.Context(), []byte("nobody's")); err != nil {
		t.Fatal(err)
	}
	s.mustPut(t, "left/out", nil, kv.PutOptions{})
	s.mustPut(t, "kv/soon", nil, kv.PutOptions{Expires: time.Now().Add(time.Millisecond)})
	time.Sleep(2 * time.Millisecond)
}

func choose(e kv.Entry) (keep bool, blobs []kv.Digest) {
	if bytes.HasPrefix([]byte(e.Key), []byte("left/")) {
		return false, nil
	}
	if d, err := kv.ParseDigest(string(e.Metadata)); err == nil {
		return true, []kv.Digest{d}
	}
	return true, nil
}

func (s stored) mustBackup(t testing.TB) ([]byte, backup.Summary) {
	t.Helper()
	v, err := kv.ViewOf(context.Background(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var b bytes.Buffer
	sum, err := backup.Write(context.Background(), &b, backup.Source{View: v, Blobs: s.blobs, Select: choose, Software: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Bytes != int64(b.Len()) {
		t.Errorf("the summary has %d bytes, the stream %d", sum.Bytes, b.Len())
	}
	return b.Bytes(), sum
}

func (s stored) mustEntries(t testing.TB) map[string]kv.Entry {
	t.Helper()
	v, err := kv.ViewOf(context.Background(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	all := map[string]kv.Entry{}
	err = v.Entries(context.Background(), func(e kv.Entry) error {
		all[e.Key] = e
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func kvOptions(i int) kv.PutOptions {
	if i%2 == 0 {
		return kv.PutOptions{Metadata: []byte("{}")}
	}
	return kv.PutOptions{Expires: time.Now().Add(time.Hour)}
}

func kvNamed(d kv.Digest) kv.PutOptions { return kv.PutOptions{Metadata: []byte(d.String())} }

// offsetIn is the place that an error tells.
func offsetIn(t *testing.T, err error) (n int) {
	t.Helper()
	_, rest, _ := strings.Cut(err.Error(), "byte ")
	if _, scanErr := fmt.Sscan(rest, &n); scanErr != nil {
		t.Fatalf("no place in %v", err)
	}
	return n
}
