package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/runtime/audit"
)

func mustOpenAs(t testing.TB, cfg audit.Config) *audit.Log {
	t.Helper()
	l, err := audit.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// all reads a log in several files.
func all(t testing.TB, path string, c audit.Check) (list []string, s audit.Summary, err error) {
	t.Helper()
	s, err = c.Read(path, func(e audit.Entry) error {
		list = append(list, e.Action)
		return nil
	})
	return list, s, err
}

// A log that has become long goes on in other files, over restarts, and is one chain.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	cfg := audit.Config{Path: path, MaxSize: 1500}
	want := []string{"begin log"}
	for restart := range 4 {
		l := mustOpenAs(t, cfg)
		for i := range 10 {
			want = append(want, fmt.Sprintf("action %d %d", restart, i))
			mustAppend(t, l, want[len(want)-1])
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got, _, err := all(t, path, audit.Check{})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
	files, err := audit.Files(path)
	if err != nil || len(files) < 6 || len(files) > 12 || files[0] != path+".1" || files[len(files)-1] != path {
		t.Errorf("got %q, %v", files, err)
	}
	for _, f := range files {
		if n := len(mustRead(t, f)); n > 2000 {
			t.Errorf("%s has %d bytes", f, n)
		}
	}
}

// A node that ended between two renames goes on behind the last file.
func TestRotationCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path)
	mustAppend(t, l, "one")
	l.Close()
	if err := errors.Join(os.Rename(path, path+".1"), os.WriteFile(path+".next", []byte("left"), 0o600)); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, path)
	mustAppend(t, l, "two")
	if got, _, err := all(t, path, audit.Check{}); err != nil || !reflect.DeepEqual(got, []string{"begin log", "one", "two"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

// Where no other file can be begun, the one there is goes on.
func TestRotationFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpenAs(t, audit.Config{Path: path, MaxSize: 500})
	if err := os.Mkdir(path+".next", 0o700); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		mustAppend(t, l, "an action")
	}
	if got, _, err := all(t, path, audit.Check{}); err != nil || len(got) != 21 {
		t.Errorf("got %d entries, %v", len(got), err)
	}
}

// Missing files and changes anywhere are found.
func TestRotatedFilesAreChained(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	l := mustOpenAs(t, audit.Config{Path: path, MaxSize: 600})
	for range 12 {
		mustAppend(t, l, "an action")
	}
	for _, tt := range []struct {
		name   string
		change func(path string) error
		want   string
		rest   string // of Check.Rest
	}{
		{"first file gone", func(path string) error { return os.Remove(path + ".1") }, "instead of 0: lines are missing", ""},
		{"second file gone", func(path string) error { return os.Remove(path + ".2") }, "lines are missing", "lines are missing"},
		{"second file first", func(path string) error { return os.Rename(path+".2", path+".0") }, "lines are missing", "lines are missing"},
		{"one byte", func(path string) error {
			data, err := os.ReadFile(path + ".2")
			return errors.Join(err, os.WriteFile(path+".2", bytes.Replace(data, []byte("API_KEY"), []byte("API_KEX"), 1), 0o600))
		}, "audit.log.2: the log is broken at line 1, which was changed", "which was changed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "log")
			if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(copied, "audit.log")
			if err := tt.change(path); err != nil {
				t.Fatal(err)
			}
			if _, _, err := all(t, path, audit.Check{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			_, s, err := all(t, path, audit.Check{Rest: true})
			if tt.rest == "" && (err != nil || s.First.Seq == 0) || tt.rest != "" && (err == nil || !strings.Contains(err.Error(), tt.rest)) {
				t.Errorf("the rest: got %v from number %d, want %q", err, s.First.Seq, tt.rest)
			}
		})
	}
}

// Who does not have the key can't write a log anew, nor go on with it.
func TestSigned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	key, other := secret.NewKey(), secret.NewKey()
	write := func(key secret.Key, actions ...string) {
		t.Helper()
		l := mustOpenAs(t, audit.Config{Path: path, Key: key})
		mustAppend(t, l, actions...)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(want string, signed int, keys ...secret.Key) {
		t.Helper()
		_, s, err := all(t, path, audit.Check{Keys: keys})
		if want == "" && (err != nil || s.Signed != signed) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, %d signed; want %q, %d", err, s.Signed, want, signed)
		}
	}
	write(secret.Key{}, "before there was a key")
	verify("its last entry is not signed", 0, key)
	write(key, "one", "two")
	verify("", 2, key)
	verify("", 2)
	verify("was signed with another key", 0, other)
	write(other, "three")
	verify("line 5, which was signed with another key", 0, key)
	verify("", 3, key, other)
	write(secret.Key{}, "an intruder's")
	verify("line 6, which is not signed, unlike lines before it", 0, key, other)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(secret.Key{}, "all", "anew")
	verify("its last entry is not signed", 0, key)
}
