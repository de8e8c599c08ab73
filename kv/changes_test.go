package kv_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
)

func FuzzChangeOf(f *testing.F) {
	for _, c := range []kv.Change{
		{Key: "k", Revision: 5, OldRevision: 3, Value: []byte("v"), Metadata: []byte(`{"a":1}`), Size: 1, Hops: 2},
		{Key: "\xff", Revision: 9, Deleted: true, Attempts: 3, Error: "it broke"},
		{},
	} {
		for _, after := range []uint64{0, 1} {
			value, metadata, err := c.Record(after)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(value, metadata)
		}
	}
	f.Add([]byte{0xff}, []byte{0x80})
	f.Fuzz(func(t *testing.T, value, metadata []byte) {
		e := kv.Entry{Key: "log/1", Revision: 7, Value: value, Metadata: metadata}
		c, err := kv.ChangeOf(e)
		if err != nil {
			if !errors.Is(err, kv.ErrCorrupt) {
				t.Fatalf("got %v, want ErrCorrupt", err)
			}
			return
		}
		again, head, err := c.Record(0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := kv.ChangeOf(kv.Entry{Key: "log/1", Revision: 8, Value: again, Metadata: head})
		if err != nil || got.Key != c.Key || got.Revision != c.Revision || got.OldRevision != c.OldRevision ||
			!bytes.Equal(got.Value, c.Value) || !bytes.Equal(got.Metadata, c.Metadata) {
			t.Fatalf("got %+v, %v; want %+v", got, err, c)
		}
	})
}

// A store that learns the revision of a change by writing its record says how much
// more it is.
func TestChangeAfter(t *testing.T) {
	value, metadata, err := kv.Change{Key: "k", OldRevision: 3}.Record(2)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kv.ChangeOf(kv.Entry{Key: "log/1", Revision: 7, Value: value, Metadata: metadata})
	if err != nil || c.Revision != 9 {
		t.Errorf("got revision %d, %v; want 9", c.Revision, err)
	}
}
