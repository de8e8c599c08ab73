package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
)

// RunBlobs tests an implementation of kv.Blobs. open returns an empty one.
func RunBlobs(t *testing.T, open func(t *testing.T) kv.Blobs) {
	t.Run("ReadWrite", func(t *testing.T) { testBlobs(t, open(t)) })
	t.Run("CopiesSlices", func(t *testing.T) { testBlobCopies(t, open(t)) })
	t.Run("Parts", func(t *testing.T) { testBlobParts(t, open(t)) })
	t.Run("Context", func(t *testing.T) { testBlobContext(t, open(t)) })
	t.Run("Hammer", func(t *testing.T) { testBlobHammer(t, open(t)) })
}

func testBlobs(t *testing.T, blobs kv.Blobs) {
	ctx := t.Context()
	var want []string
	for _, size := range []int{0, 1, 4096, 3 << 20} {
		data := pattern(size)
		d, err := blobs.Put(ctx, data)
		if err != nil || d != kv.DigestOf(data) {
			t.Fatalf("Put of %d bytes = %s, %v, want %s", size, d, err, kv.DigestOf(data))
		}
		if again, err := blobs.Put(ctx, data); err != nil || again != d {
			t.Errorf("Put again = %s, %v, want %s", again, err, d)
		}
		if got, err := blobs.Get(ctx, d); err != nil || !bytes.Equal(got, data) {
			t.Errorf("Get of %d bytes: got %d, %v", size, len(got), err)
		}
		want = append(want, d.String())
	}
	wantDigests(t, blobs, want)
	gone := kv.DigestOf(pattern(4096))
	for range 2 {
		if err := blobs.Delete(ctx, gone); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	_, err := blobs.Get(ctx, gone)
	wantErr(t, "Get after Delete", err, kv.ErrNotFound)
	wantDigests(t, blobs, slices.DeleteFunc(want, func(d string) bool { return d == gone.String() }))
}

func wantDigests(t *testing.T, blobs kv.Blobs, want []string) {
	t.Helper()
	digests, err := blobs.List(t.Context())
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	var got []string
	for _, d := range digests {
		got = append(got, d.String())
	}
	slices.Sort(got)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		t.Errorf("got digests %q, want %q", got, want)
	}
}

func testBlobCopies(t *testing.T, blobs kv.Blobs) {
	data := []byte("data")
	d, err := blobs.Put(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	data[0] = 'X'
	for range 2 {
		got, err := blobs.Get(t.Context(), d)
		if err != nil || string(got) != "data" {
			t.Fatalf("Get = %q, %v, want data", got, err)
		}
		got[0] = 'Y'
	}
}

func testBlobParts(t *testing.T, blobs kv.Blobs) {
	d, err := blobs.Put(t.Context(), []byte("0123456789"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		d      kv.Digest
		offset int64
		want   string
		err    error
	}{
		{d, 0, "0123", nil}, {d, 6, "6789", nil}, {d, 10, "", nil},
		{d, 7, "789x", io.ErrUnexpectedEOF}, {d, 11, "x", io.ErrUnexpectedEOF}, {kv.DigestOf(nil), 0, "x", kv.ErrNotFound},
	}
	for _, tt := range tests {
		p := make([]byte, len(tt.want))
		err := kv.ReadPart(t.Context(), blobs, tt.d, p, tt.offset)
		if !errors.Is(err, tt.err) || err == nil && string(p) != tt.want {
			t.Errorf("%d bytes at %d: got %q, %v, want %q, %v", len(p), tt.offset, p, err, tt.want, tt.err)
		}
	}
}

func testBlobContext(t *testing.T, blobs kv.Blobs) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d, err := blobs.Put(ctx, []byte("data"))
	wantErr(t, "Put", err, context.Canceled)
	_, err = blobs.Get(ctx, d)
	wantErr(t, "Get", err, context.Canceled)
	wantErr(t, "Delete", blobs.Delete(ctx, d), context.Canceled)
	_, err = blobs.List(ctx)
	wantErr(t, "List", err, context.Canceled)
	wantDigests(t, blobs, nil)
}

func testBlobHammer(t *testing.T, blobs kv.Blobs) {
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 30 {
				data := fmt.Append(nil, (worker+i)%10)
				d, err := blobs.Put(background(), data)
				if err != nil {
					t.Errorf("Put: %v", err)
					return
				}
				if got, err := blobs.Get(background(), d); err != nil || !bytes.Equal(got, data) {
					t.Errorf("Get = %q, %v, want %q", got, err, data)
				}
				if _, err := blobs.List(background()); err != nil {
					t.Errorf("List: %v", err)
				}
			}
		})
	}
	wg.Wait()
}
