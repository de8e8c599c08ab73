package entry_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/entry"
)

func sample() kv.Entry {
	return kv.Entry{
		Key:      "user/42",
		Value:    []byte("the value"),
		Metadata: []byte(`{"a":1}`),
		Revision: 77,
		Expires:  time.UnixMilli(1_900_000_000_123),
	}
}

// decodeAll decodes a record and checks the value wherever it is.
func decodeAll(key string, record, elsewhere []byte) (entry.Head, error) {
	h, err := entry.Decode(key, record)
	if err != nil {
		return h, err
	}
	if h.Inline {
		elsewhere = h.Value
	}
	return h, h.CheckValue(key, elsewhere)
}

func TestRoundTrip(t *testing.T) {
	bare := kv.Entry{Key: "k", Revision: 1}
	for _, e := range []kv.Entry{sample(), bare} {
		for _, inline := range []bool{true, false} {
			h, err := decodeAll(e.Key, entry.Encode(e, inline), e.Value)
			if err != nil {
				t.Fatalf("inline %v: %v", inline, err)
			}
			if h.Revision != e.Revision || !h.Expires.Equal(e.Expires) || !bytes.Equal(h.Metadata, e.Metadata) || h.Inline != inline {
				t.Errorf("inline %v: got %+v, want %+v", inline, h, e)
			}
			if inline && !bytes.Equal(h.Value, e.Value) {
				t.Errorf("got value %q, want %q", h.Value, e.Value)
			}
		}
	}
}

// TestEveryBit flips each bit of record, value and key in turn.
func TestEveryBit(t *testing.T) {
	e := sample()
	for _, inline := range []bool{true, false} {
		parts := [][]byte{entry.Encode(e, inline), bytes.Clone(e.Value), []byte(e.Key)}
		if inline {
			parts[1] = nil
		}
		for p, part := range parts {
			for bit := range len(part) * 8 {
				part[bit/8] ^= 1 << (bit % 8)
				if _, err := decodeAll(string(parts[2]), parts[0], parts[1]); !errors.Is(err, kv.ErrCorrupt) {
					t.Errorf("inline %v, part %d, bit %d: got %v, want ErrCorrupt", inline, p, bit, err)
				}
				part[bit/8] ^= 1 << (bit % 8)
			}
		}
	}
}

func TestEveryTruncation(t *testing.T) {
	e := sample()
	record := entry.Encode(e, true)
	for n := range record {
		if _, err := decodeAll(e.Key, record[:n], nil); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("%d bytes: got %v, want ErrCorrupt", n, err)
		}
	}
	if _, err := decodeAll(e.Key, append(record, 0), nil); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("one byte more: got %v, want ErrCorrupt", err)
	}
}

// TestSwapped puts the record, and the value, of one key or write under another.
func TestSwapped(t *testing.T) {
	a, b := sample(), sample()
	b.Key = "user/43"
	if _, err := decodeAll(b.Key, entry.Encode(a, true), nil); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("record of another key: got %v, want ErrCorrupt", err)
	}
	later := a
	later.Revision++
	later.Value = []byte("VALUE now")
	if _, err := decodeAll(a.Key, entry.Encode(later, false), a.Value); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("value of another write: got %v, want ErrCorrupt", err)
	}
}

func FuzzDecode(f *testing.F) {
	e := sample()
	f.Add(e.Key, entry.Encode(e, true), []byte(nil))
	f.Add(e.Key, entry.Encode(e, false), e.Value)
	f.Add("", []byte{}, []byte{})
	f.Add("k", bytes.Repeat([]byte{0xff}, entry.HeadSize), []byte{})
	f.Fuzz(func(t *testing.T, key string, record, elsewhere []byte) {
		h, err := decodeAll(key, record, elsewhere)
		if err != nil {
			if !errors.Is(err, kv.ErrCorrupt) {
				t.Fatalf("got %v, want ErrCorrupt", err)
			}
			return
		}
		value := elsewhere
		if h.Inline {
			value = h.Value
		}
		again := kv.Entry{Key: key, Value: value, Metadata: h.Metadata, Revision: h.Revision, Expires: h.Expires}
		if got := entry.Encode(again, h.Inline); !bytes.Equal(got, record) {
			t.Fatalf("encoding again gave\n%x, want\n%x", got, record)
		}
	})
}
