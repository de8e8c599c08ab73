package torture_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// ledger is what clients have asked of a node, kept outside of it: each operation
// is in a file, synced, before it is sent, and again when its outcome is known.
type ledger struct {
	mu   sync.Mutex // guards the file
	file *os.File

	all    map[string]*history // of what was read
	offset int64               // up to where
}

// What a note tells of an operation.
const (
	begun   = "begun"
	acked   = "acked"
	refused = "refused" // nothing was changed
	found   = "found"   // by reading it when nothing was under way
)

// note is a line of a ledger. Each key has one client, whose operations follow each
// other, but for counters.
type note struct {
	Key   string `json:"key"`
	Tells string `json:"tells"`
	Value string `json:"value"` // empty: there is none
	Adds  bool   `json:"adds,omitempty"`
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "ledger"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &ledger{file: f, all: map[string]*history{}}
}

// write appends notes and syncs them together.
func (l *ledger) write(t *testing.T, notes ...note) {
	var lines []byte
	for _, n := range notes {
		line, err := json.Marshal(n)
		if err != nil {
			t.Error(err)
		}
		lines = append(append(lines, line...), '\n')
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.file.Write(lines)
	if err := errors.Join(err, l.file.Sync()); err != nil {
		t.Error(err)
	}
}

// tell writes the same about several operations.
func (l *ledger) tell(t *testing.T, tells string, notes []note) {
	told := make([]note, len(notes))
	for i, n := range notes {
		n.Tells = tells
		told[i] = n
	}
	l.write(t, told...)
}

// read returns the histories of all keys. Nobody writes meanwhile.
func (l *ledger) read(t *testing.T) map[string]*history {
	t.Helper()
	data, err := os.ReadFile(l.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data[l.offset:]) {
		var n note
		if err := json.Unmarshal(line, &n); err != nil {
			t.Fatal(err)
		}
		if l.all[n.Key] == nil {
			l.all[n.Key] = &history{sent: map[string]bool{}}
		}
		l.all[n.Key].follow(n)
	}
	l.offset = int64(len(data))
	return l.all
}

// history is what a ledger says of one key.
type history struct {
	acked, unknown int             // operations of all rounds
	state          string          // as it must be, unless something is pending
	pending        []string        // values whose outcome is not known
	sent           map[string]bool // every value ever
	adds           bool            // a counter: then state is what was acknowledged
}

func (h *history) follow(n note) {
	h.adds = h.adds || n.Adds
	switch n.Tells {
	case begun:
		h.pending = append(h.pending, n.Value)
		h.sent[n.Value] = true
	case refused:
		h.pending = h.pending[1:]
	case acked:
		h.acked++
		if h.adds {
			h.state = strconv.Itoa(number(h.state) + 1)
			h.pending = h.pending[1:]
			return
		}
		h.state, h.pending = n.Value, nil
	case found:
		h.unknown += len(h.pending)
		h.state, h.pending = n.Value, nil
	}
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// verdict counts keys whose state is not what their history allows.
type verdict struct{ lost, wrong, resurrected, sums int }

// judge compares a history with what is there; empty is nothing.
func (v *verdict) judge(h *history, got string) {
	if h.adds {
		least := number(h.state)
		if n := number(got); n < least || n > least+len(h.pending) {
			v.sums++
		}
		return
	}
	if got == h.state {
		return
	}
	for _, p := range h.pending {
		if got == p {
			return
		}
	}
	switch {
	case got != "" && !h.sent[got]:
		v.wrong++
	case h.state == "" && len(h.pending) == 0:
		v.resurrected++
	default:
		v.lost++
	}
}

// TestLedger judges histories of which it is known what is wrong with them.
func TestLedger(t *testing.T) {
	for _, tt := range []struct {
		name  string
		notes []note
		got   string
		want  verdict
	}{
		{"acknowledged", []note{{Tells: begun, Value: "1"}, {Tells: acked, Value: "1"}}, "1", verdict{}},
		{"gone", []note{{Tells: begun, Value: "1"}, {Tells: acked, Value: "1"}}, "", verdict{lost: 1}},
		{"older", []note{{Tells: begun, Value: "1"}, {Tells: acked, Value: "1"}, {Tells: begun, Value: "2"}, {Tells: acked, Value: "2"}}, "1", verdict{lost: 1}},
		{"under way, done", []note{{Tells: begun, Value: "1"}, {Tells: acked, Value: "1"}, {Tells: begun, Value: "2"}}, "2", verdict{}},
		{"under way, not done", []note{{Tells: begun, Value: "1"}, {Tells: acked, Value: "1"}, {Tells: begun, Value: "2"}}, "1", verdict{}},
		{"never sent", []note{{Tells: begun, Value: "1"}}, "3", verdict{wrong: 1}},
		{"deleted", []note{{Tells: begun, Value: "1"}, {Tells: acked, Value: "1"}, {Tells: begun}, {Tells: acked}}, "1", verdict{resurrected: 1}},
		{"changed its mind", []note{{Tells: begun, Value: "1"}, {Tells: found}}, "1", verdict{resurrected: 1}},
		{"sum", []note{{Tells: begun, Adds: true}, {Tells: acked, Adds: true}, {Tells: begun, Adds: true}}, "2", verdict{}},
		{"sum too small", []note{{Tells: begun, Adds: true}, {Tells: acked, Adds: true}}, "0", verdict{sums: 1}},
		{"sum too large", []note{{Tells: begun, Adds: true}, {Tells: refused, Adds: true}}, "1", verdict{sums: 1}},
	} {
		l := newLedger(t)
		l.write(t, tt.notes...)
		var got verdict
		got.judge(l.read(t)[""], tt.got)
		if got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
