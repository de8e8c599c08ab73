package cursor_test

import (
	"errors"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/cursor"
)

func TestRoundTrip(t *testing.T) {
	for _, c := range []struct{ prefix, suffix string }{
		{"", "a"}, {"a", ""}, {"user/", "42"}, {"\xff\x00", "\x00\xff"},
	} {
		got, err := cursor.Decode(c.prefix, cursor.Encode(c.prefix, c.suffix))
		if err != nil || got != c.suffix {
			t.Errorf("Decode(Encode(%q, %q)) = %q, %v", c.prefix, c.suffix, got, err)
		}
	}
}

func TestForeign(t *testing.T) {
	c := cursor.Encode("user/", "42")
	for _, prefix := range []string{"", "user", "user/4", "user0"} {
		if _, err := cursor.Decode(prefix, c); !errors.Is(err, kv.ErrCursor) {
			t.Errorf("Decode with prefix %q: %v, want ErrCursor", prefix, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("", "")
	f.Add("user/", cursor.Encode("user/", "42"))
	f.Add("user/", cursor.Encode("user/", "42")+"\n")
	f.Add("user/", "AAAA")
	f.Fuzz(func(t *testing.T, prefix, c string) {
		suffix, err := cursor.Decode(prefix, c)
		if err != nil {
			if !errors.Is(err, kv.ErrCursor) {
				t.Fatalf("got %v, want ErrCursor", err)
			}
			return
		}
		if again := cursor.Encode(prefix, suffix); again != c {
			t.Fatalf("two cursors for one place: %q and %q", c, again)
		}
	})
}
