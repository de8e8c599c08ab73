package runtime_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime"
)

// hostiles are guests with one kind of state each, and with all kinds.
var hostiles = []struct {
	name       string
	traits     []trait
	resettable bool
}{
	{"memory", nil, true},
	{"numbers", []trait{numbers}, true},
	{"descriptors", []trait{descriptors}, true},
	{"vectors", []trait{vectors}, false},
	{"references", []trait{references}, false},
	{"tables", []trait{tables}, false},
	{"segments", []trait{segments}, false},
	{"data", []trait{droppedData}, false},
	{"everything", []trait{tables, numbers, vectors, references, segments, descriptors}, false},
}

// Whatever a guest does to its state, and however it ends, the next request finds
// the first-ever state.
func TestHostileGuests(t *testing.T) {
	everyEngine(t, func(t *testing.T, r *runtime.Runtime) {
		for _, tt := range hostiles {
			for name, command := range map[string]bool{"native": false, "command": true} {
				t.Run(tt.name+"/"+name, func(t *testing.T) {
					testHostile(t, r, newHostile("a tag", command, tt.traits...), tt.resettable)
				})
			}
		}
	})
}

// testHostile has a guest end in each way, where instances are kept after each other
// way.
func testHostile(t *testing.T, r *runtime.Runtime, h hostile, resettable bool) {
	s := mustPrepare(t, mustLoad(t, r, h.wasm), host.Limits{Memory: hostileLimit})
	var c host.Call // of one request after the other, as triggers have it
	kept, seconds := 0, 1
	if resettable && s.Initialized {
		seconds = quick
	}
	for first := range quick {
		for second := range seconds {
			h.check(t, s, &c, first)
			h.check(t, s, &c, second)
			kept += s.Idle()
		}
	}
	if !s.Away() && (kept > 0) != (seconds > 1) {
		t.Errorf("instances were kept %d times", kept)
	}
}

// The same with the ends that take their time.
func TestEndlessHostileGuests(t *testing.T) {
	everyEngine(t, func(t *testing.T, r *runtime.Runtime) {
		h := newHostile("a tag", false, numbers)
		s := mustPrepare(t, mustLoad(t, r, h.wasm), host.Limits{Memory: hostileLimit})
		var c host.Call
		for end := quick; end < len(ends); end++ {
			h.check(t, s, &c, end)
			h.check(t, s, &c, 0)
		}
	})
}

// check asks for an end and looks at what the guest found at its beginning.
func (h *hostile) check(t *testing.T, s *runtime.Snapshot, c *host.Call, end int) {
	t.Helper()
	if !s.Use() {
		t.Fatal("the snapshot was closed")
	}
	h.checkUsed(t, s, c, end)
}

// checkUsed is check for a Snapshot that is in use.
func (h *hostile) checkUsed(t *testing.T, s *runtime.Snapshot, c *host.Call, end int) {
	t.Helper()
	got := h.ask(t, s, c, end)
	want := ends[end].want
	if h.command && ends[end].name == "exits with an error" {
		want = host.OutcomeOK // its answer is sent all the same
	}
	if got.outcome != want {
		t.Errorf("a guest that %s: %v, %v; want %v", ends[end].name, got.outcome, got.err, want)
	}
	if h.command && want != host.OutcomeOK || end == runsForEver && got.Answers == 0 {
		return // a command has no answer then, and the other one may be slow
	}
	if len(got.Body) != 4*len(h.finds) {
		t.Errorf("a guest that %s answers with %d bytes, %v", ends[end].name, len(got.Body), got.err)
		return
	}
	for n, f := range h.finds {
		if v := binary.LittleEndian.Uint32(got.Body[4*n:]); v != f.want {
			t.Errorf("a guest that %s: %s is %#x at its beginning, want %#x", ends[end].name, f.name, v, f.want)
		}
	}
}

// ask needs a Snapshot that is in use.
func (h *hostile) ask(t *testing.T, s *runtime.Snapshot, c *host.Call, end int) result {
	t.Helper()
	limits := host.Limits{Memory: hostileLimit}
	if end == runsForEver {
		limits.Wall = 50 * time.Millisecond
	}
	r := result{Recorder: new(hosttest.Recorder)}
	beginAgain(t, c, r.Recorder, "/", limits)
	c.Request = hosttest.Request("POST", hostileURL+strings.Repeat("x", end), strings.Repeat("x", end))
	r.invoke(s, c)
	return r
}
