package kv_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
)

func FuzzParseDigest(f *testing.F) {
	f.Add(kv.DigestOf(nil).String())
	f.Add(strings.Repeat("A", 64))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := kv.ParseDigest(s)
		if err == nil && d.String() != s {
			t.Fatalf("ParseDigest(%q) = %s", s, d)
		}
	})
}
