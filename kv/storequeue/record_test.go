package storequeue_test

import (
	"bytes"
	"testing"

	"github.com/mayfly-run/mayfly/kv/storequeue"
)

// What can be read says again what was read, in the shortest form.
func FuzzHeader(f *testing.F) {
	f.Add([]byte("\x01\x00\x80\x80\x01\x90\x80\x01\x03\x07"))
	f.Add([]byte("\x02\x00"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := storequeue.Reread(b)
		if err != nil {
			return
		}
		twice, err := storequeue.Reread(again)
		if err != nil || !bytes.Equal(again, twice) || len(again) > len(b) {
			t.Errorf("%x becomes %x, and that %x, %v", b, again, twice, err)
		}
	})
}

func FuzzLease(f *testing.F) {
	f.Add(append(make([]byte, 22), 1))
	f.Add(append(append(make([]byte, 22), 0x80, 0x01), make([]byte, 23)...))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := storequeue.RereadLease(b)
		if err == nil && len(again) > len(b) {
			t.Errorf("%x becomes %x", b, again)
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add("0123456789abcdef-0")
	f.Add("--1")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		name, ok := storequeue.ParseToken(text)
		if again, okAgain := storequeue.ParseToken(name); ok && (!okAgain || again != name) {
			t.Errorf("%q is %q, and then %q", text, name, again)
		}
	})
}
