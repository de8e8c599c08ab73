package storequeue_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/storequeue"
)

// mustEntry is what the store has of a message.
func mustEntry(t testing.TB) (e kv.Entry) {
	t.Helper()
	w := storequeue.NewWriter("p/", queue, func(made kv.Entry) error {
		e = made
		return nil
	})
	now := time.UnixMilli(time.Now().UnixMilli())
	err := w.Write(kv.StoredMessage{ID: strings.Repeat("a", 32), Sent: now, Expires: now.Add(time.Hour), Attempts: 3, ContentType: kv.ContentText, Body: []byte("body")})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Entries that are no messages, or damaged, are told apart.
func TestReaderRefuses(t *testing.T) {
	good := mustEntry(t)
	for name, tt := range map[string]struct {
		key     string
		value   []byte
		meta    []byte
		corrupt bool
	}{
		"another entry":   {"p/other", nil, nil, false},
		"unknown kind":    {"p/local/q/x/y", nil, nil, false},
		"short key":       {"p/local/q/m/0", good.Value, good.Metadata, true},
		"no account":      {"p//q/m/" + strings.Repeat("0", 44), good.Value, good.Metadata, true},
		"name of a queue": {"p/local/a b/m/" + strings.Repeat("0", 44), good.Value, good.Metadata, true},
		"no header":       {good.Key, good.Value, nil, true},
		"long body":       {good.Key, make([]byte, kv.MaxMessage+1), good.Metadata, true},
		"lease":           {"p/local/q/l/x", []byte{1}, nil, true},
	} {
		_, _, ok, err := storequeue.NewReader("p/").Read(kv.Entry{Key: tt.key, Value: tt.value, Metadata: tt.meta})
		if ok || errors.Is(err, kv.ErrCorrupt) != tt.corrupt || (err != nil) != tt.corrupt {
			t.Errorf("%s: got %t, %v", name, ok, err)
		}
	}
}

// FuzzReader wants no panic, and that what is taken may be sent.
func FuzzReader(f *testing.F) {
	e := mustEntry(f)
	f.Add(e.Key, e.Value, e.Metadata)
	f.Add("p/local/q/l/0123456789abcdef", append(make([]byte, 22), 1), []byte(nil))
	f.Add("p/local/q", []byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, key string, value, meta []byte) {
		q, m, ok, err := storequeue.NewReader("p/").Read(kv.Entry{Key: key, Value: value, Metadata: meta})
		if ok && err != nil {
			t.Errorf("a message with %v", err)
		}
		if message := (kv.Message{ContentType: m.ContentType, Body: m.Body}); ok && (!kv.IsQueue(q) || message.Check() != nil || len(m.ID) != 32) {
			t.Errorf("got %+v of queue %v", m, q)
		}
	})
}
