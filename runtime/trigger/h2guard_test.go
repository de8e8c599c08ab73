package trigger_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/trigger"
	"golang.org/x/net/http2"
)

func TestFrameGuard(t *testing.T) {
	frames := func(n int, write func(*http2.Framer)) []byte {
		b := bytes.NewBufferString(http2.ClientPreface)
		for range n {
			write(http2.NewFramer(b, nil))
		}
		return b.Bytes()
	}
	ping := func(f *http2.Framer) { f.WritePing(false, [8]byte{}) }
	for _, tt := range []struct {
		name string
		sent []byte
		want bool
	}{
		{"some PINGs", frames(5000, ping), true},
		{"many PINGs", frames(5001, ping), false},
		{"window updates", frames(20_000, func(f *http2.Framer) { f.WriteWindowUpdate(1, 1) }), true},
		{"DATA", frames(20_000, func(f *http2.Framer) { f.WriteData(1, false, []byte("a")) }), true},
		{"ends of bodies", frames(20_000, func(f *http2.Framer) { f.WriteData(1, true, nil) }), true},
		{"empty DATA", frames(5001, func(f *http2.Framer) { f.WriteData(1, false, nil) }), false},
		{"resets", frames(5001, func(f *http2.Framer) { f.WriteRSTStream(1, 0) }), false},
		{"unknown", frames(5001, func(f *http2.Framer) { f.WriteRawFrame(0xff, 0, 0, []byte("abc")) }), false},
	} {
		for _, step := range []int{1, 7, 100, len(tt.sent)} {
			if got := trigger.Guarded(tt.sent, step, time.Now()); got != tt.want {
				t.Errorf("%s in steps of %d: got %v, want %v", tt.name, step, got, tt.want)
			}
		}
	}
}

// FuzzFrameGuard: it sees the same, however what comes is cut.
func FuzzFrameGuard(f *testing.F) {
	f.Add([]byte(http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"), 1)
	f.Add([]byte("\xff\xff\xff"), 3)
	f.Fuzz(func(t *testing.T, sent []byte, step int) {
		now := time.Now()
		whole, cut := trigger.Guarded(sent, len(sent), now), trigger.Guarded(sent, min(max(step, 1), len(sent)), now)
		if whole != cut {
			t.Errorf("as a whole %v, in steps %v", whole, cut)
		}
	})
}
