package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/audit"
)

func mustOpen(t testing.TB, path string) *audit.Log {
	t.Helper()
	l, err := audit.Open(audit.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mustAppend(t testing.TB, l *audit.Log, actions ...string) {
	t.Helper()
	for _, action := range actions {
		if err := l.Append(audit.Entry{Action: action, Target: map[string]string{"secret": "API_KEY"}, Status: 200}); err != nil {
			t.Fatal(err)
		}
	}
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// actions reads a log and returns what its entries are about.
func actions(data []byte) (list []string, err error) {
	_, err = audit.Read(bytes.NewReader(data), func(e audit.Entry) error {
		list = append(list, e.Action)
		return nil
	})
	return list, err
}

func check(t *testing.T, path string, want ...string) {
	t.Helper()
	if got, err := actions(mustRead(t, path)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	now := time.Date(2026, 2, 3, 4, 5, 6, 789_123_456, time.FixedZone("", 3600))
	l, err := audit.Open(audit.Config{Path: path, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("got %v, %v; want mode 0600", info.Mode(), err)
	}
	in := audit.Entry{Action: "PUT x", Request: "r", Token: "t", TokenName: "ci \"<&>\n", Account: "a", Target: map[string]string{"secret": "API_KEY"}, Status: 200, Remote: "192.0.2.1:5"}
	if err := l.Append(in); err != nil {
		t.Fatal(err)
	}
	l.Close()
	l = mustOpen(t, path)
	mustAppend(t, l, "third")
	var all []audit.Entry
	s, err := audit.Read(bytes.NewReader(mustRead(t, path)), func(e audit.Entry) error {
		all = append(all, e)
		return nil
	})
	if err != nil || s.Entries != 3 || !reflect.DeepEqual(s.First, all[0]) || !reflect.DeepEqual(s.Last, all[2]) {
		t.Fatalf("got %+v, %v", s, err)
	}
	want := in
	want.Seq, want.Time, want.Prev, want.Sum = 1, time.Date(2026, 2, 3, 3, 5, 6, 789_000_000, time.UTC), all[1].Prev, all[1].Sum
	if !reflect.DeepEqual(all[1], want) || len(want.Sum) != 64 || len(want.Prev) != 64 {
		t.Errorf("got %+v, want %+v", all[1], want)
	}
	other := filepath.Join(t.TempDir(), "audit.log")
	mustOpen(t, other)
	if bytes.Equal(mustRead(t, other)[:200], mustRead(t, path)[:200]) {
		t.Error("two logs begin alike")
	}
}

// A change of any bit of any line is found, and so are lines that are missing,
// doubled or exchanged.
func TestTampering(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	mustAppend(t, mustOpen(t, path), "one", "two", "three")
	good := mustRead(t, path)
	step := 1
	if testing.Short() {
		step = 7
	}
	for bit := 0; bit < len(good)*8; bit += step {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		_, err := actions(bad)
		e, ok := errors.AsType[*audit.BrokenError](err)
		if want := 1 + bytes.Count(good[:bit/8], []byte("\n")); !ok || e.Line != want {
			t.Fatalf("bit %d of byte %d: got %v, want line %d", bit%8, bit/8, err, want)
		}
	}
	lines := bytes.SplitAfter(good, []byte("\n"))
	for name, tt := range map[string]struct {
		order []int
		want  string
	}{
		"missing":     {[]int{0, 1, 3}, "the log is broken at line 3, which has number 3 instead of 2"},
		"first":       {[]int{1, 2, 3}, "the log is broken at line 1, which has number 1 instead of 0"},
		"doubled":     {[]int{0, 1, 1, 2, 3}, "the log is broken at line 3, which has number 1 instead of 2"},
		"exchanged":   {[]int{0, 2, 1, 3}, "the log is broken at line 2, which has number 2 instead of 1"},
		"in a string": {nil, "the log is broken at line 1, which is not complete"},
	} {
		var bad []byte
		for _, n := range tt.order {
			bad = append(bad, lines[n]...)
		}
		if tt.order == nil {
			bad = lines[0][:20]
		}
		if _, err := actions(bad); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	// A line of another log with the right number.
	other := filepath.Join(t.TempDir(), "audit.log")
	mustAppend(t, mustOpen(t, other), "one", "two", "three")
	foreign := bytes.SplitAfter(mustRead(t, other), []byte("\n"))
	_, err := actions(bytes.Join([][]byte{lines[0], lines[1], foreign[2], lines[3]}, nil))
	if want := "the log is broken at line 3, which does not follow the line before: that one was exchanged"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

// Wherever the end of the process cuts the last line, the next start goes on
// after the line before.
func TestTornTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	mustAppend(t, mustOpen(t, path), "one", "two")
	good := mustRead(t, path)
	last := 1 + bytes.LastIndexByte(good[:len(good)-1], '\n')
	for cut := last + 1; cut < len(good); cut += 5 {
		for name, torn := range map[string][]byte{
			"cut":          good[:cut],
			"zeros":        append(bytes.Clone(good[:cut]), make([]byte, 500)...),
			"zeros before": append(append(bytes.Clone(good[:last]), make([]byte, cut-last)...), good[cut:]...),
		} {
			if err := os.WriteFile(path, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := audit.Open(audit.Config{Path: path})
			if err != nil {
				t.Fatalf("%s at %d: %v", name, cut, err)
			}
			mustAppend(t, l, "three")
			l.Close()
			check(t, path, "begin log", "one", "recover log", "three")
		}
	}
	for cut := range 30 { // not even the first line is there
		if err := os.WriteFile(path, good[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := audit.Open(audit.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if list, err := actions(mustRead(t, path)); err != nil || len(list) != 1 {
			t.Errorf("%d bytes: got %q, %v", cut, list, err)
		}
	}
}

// What nobody but a person has done is left as it is.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	mustAppend(t, mustOpen(t, path), "one")
	changed := bytes.Replace(mustRead(t, path), []byte("one"), []byte("two"), 1)
	for name, data := range map[string][]byte{
		"changed":   changed,
		"text":      []byte("hello\n"),
		"no lines":  []byte("hello"),
		"long line": bytes.Repeat([]byte("x"), 1<<18),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := audit.Open(audit.Config{Path: path}); err == nil || !strings.Contains(err.Error(), "move it away to keep it as it is") {
			t.Errorf("%s: got %v", name, err)
		}
		if !bytes.Equal(mustRead(t, path), data) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := audit.Open(audit.Config{Path: dir}); err == nil {
		t.Error("a folder: no error")
	}
}

func TestSomethingElseWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if err := l.Ready(); err == nil || !strings.Contains(err.Error(), "something else has written to it") {
		t.Errorf("got %v", err)
	}
}

func TestAppendAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 25 {
				if err := errors.Join(l.Ready(), l.Append(audit.Entry{Action: "PUT x"}), l.Refused(audit.Entry{Action: "GET x"}, false)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	list, err := actions(mustRead(t, path))
	if want := 1 + 200 + 60; err != nil || len(list) != want {
		t.Errorf("got %d entries, %v; want %d", len(list), err, want)
	}
}

// Refusals without end take a little of the disk, and are counted.
func TestRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	now := time.Unix(1_800_000_000, 0)
	l, err := audit.Open(audit.Config{Path: path, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 3600 {
		for range 10 {
			if err := l.Refused(audit.Entry{Action: strings.Repeat("x", 10_000)}, false); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(time.Second)
	}
	if err := l.Refused(audit.Entry{Action: "of a token"}, true); err != nil {
		t.Fatal(err)
	}
	counted, last := 0, ""
	s, err := audit.Read(bytes.NewReader(mustRead(t, path)), func(e audit.Entry) error {
		counted += 1 + e.Skipped
		last = e.Action
		return nil
	})
	if err != nil || s.Entries > 450 || counted != 1+36_000+1 || last != "of a token" {
		t.Errorf("got %d entries that count %d, the last %q, %v", s.Entries, counted, last, err)
	}
}

// Long and odd texts are cut, so that a line has an end.
func TestLongTexts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path)
	odd := strings.Repeat("\x00\xff\u2028<", 10_000)
	e := audit.Entry{Action: odd, Request: odd, Token: odd, TokenName: odd, Account: odd, Remote: odd, Target: map[string]string{}}
	for i := range 100 {
		e.Target[fmt.Sprint(i, odd)] = odd
	}
	if err := l.Append(e); err != nil {
		t.Fatal(err)
	}
	l.Close()
	mustAppend(t, mustOpen(t, path), "next")
	if s, err := audit.Read(bytes.NewReader(mustRead(t, path)), func(audit.Entry) error { return nil }); err != nil || s.Entries != 3 {
		t.Errorf("got %d entries, %v", s.Entries, err)
	}
}

// FuzzRead: what is a log is none any more when a byte of it changes.
func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "audit.log")
	mustAppend(f, mustOpen(f, path), "one", "two")
	good := mustRead(f, path)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte("\n"))
	f.Add([]byte(`{"seq":0,"sum":""}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := actions(data); err != nil || len(data) == 0 {
			return
		}
		for i := range data {
			bad := bytes.Clone(data)
			bad[i] ^= 1
			if _, err := actions(bad); err == nil {
				t.Errorf("%q is a log, and %q is one as well", data, bad)
			}
		}
	})
}
