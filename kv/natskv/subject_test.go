package natskv_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natskv"
)

func TestKeyToken(t *testing.T) {
	for key, want := range map[string]string{
		"a":            "k.a",
		"ns/1:x@y":     "k.ns/1:x@y",
		"a.b*c>d$ =":   "k.a=2Eb=2Ac=3Ed=24=20=3D",
		"\x00\xff\r\n": "k.=00=FF=0D=0A",
	} {
		if got := natskv.KeyToken(key); got != want {
			t.Errorf("KeyToken(%q) = %q, want %q", key, got, want)
		}
	}
	if got := natskv.KeyToken(strings.Repeat("k", kv.MaxKey)); len(got) != 66 || !strings.HasPrefix(got, "h.") {
		t.Errorf("the longest key has token %q", got)
	}
}

// Every key has a token of its own that fits into a subject, and most are said by it.
func FuzzKeyToken(f *testing.F) {
	for _, key := range []string{"a", "a.b", "=", "\x00", strings.Repeat("x", 1022), strings.Repeat("x", 1023), strings.Repeat("\xff", 4096)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if key == "" || len(key) > kv.MaxKey {
			t.Skip()
		}
		token := natskv.KeyToken(key)
		if len(token) > 1026 || strings.Count(token, ".") != 1 || strings.ContainsAny(token, " *>\t\r\n\x00") {
			t.Fatalf("token of %q is %q", key, token)
		}
		got, ok := natskv.KeyOf(token)
		if ok != strings.HasPrefix(token, "k.") || ok && got != key {
			t.Fatalf("KeyOf(%q) = %q, %v, want %q", token, got, ok, key)
		}
	})
}

func FuzzKeyOf(f *testing.F) {
	for _, token := range []string{"k.a", "k.=2E", "k.=2e", "k.=", "k.=4", "k.=61", "h.00", "k.a.b"} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if key, ok := natskv.KeyOf(token); ok && natskv.KeyToken(key) != token {
			t.Fatalf("KeyOf(%q) = %q, which has token %q", token, key, natskv.KeyToken(key))
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, data := range natskv.Encoded("k", "value", "metadata") {
		f.Add("k.k", data)
	}
	f.Add("k.other", []byte("mn"))
	f.Fuzz(func(t *testing.T, token string, data []byte) {
		if err := natskv.Decode(token, data); err != nil && !errors.Is(err, kv.ErrCorrupt) {
			t.Fatalf("got %v, want ErrCorrupt", err)
		}
	})
}

// No bit of a message can be flipped without that being found.
func TestFlippedBits(t *testing.T) {
	for kind, data := range natskv.Encoded("k", "value", "metadata") {
		if err := natskv.Decode("k.k", data); err != nil {
			t.Fatalf("message %d: %v", kind, err)
		}
		if err := natskv.Decode("k.j", data); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("message %d as that of another key: got %v, want ErrCorrupt", kind, err)
		}
		for bit := range len(data) * 8 {
			data[bit/8] ^= 1 << (bit % 8)
			if err := natskv.Decode("k.k", data); !errors.Is(err, kv.ErrCorrupt) {
				t.Errorf("message %d with bit %d flipped: got %v, want ErrCorrupt", kind, bit, err)
			}
			data[bit/8] ^= 1 << (bit % 8)
		}
	}
}
