package doctor_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/doctor"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// The test binary plays the processes that nodes and doctors start.
const (
	roleCompile = "play-compile"
	roleDoctor  = "play-doctor"
	roleCrash   = "play-crash"
)

func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case roleCompile:
		syscall.Exit(compile.Child(os.Stdin, os.Stdout, os.Stderr, os.Args[2:]))
	case roleDoctor:
		syscall.Exit(doctor.Child(os.Stdout, os.Stderr, os.Args[2:]))
	case roleCrash:
		fmt.Println(`{"key":"kv/1/k","what":"so far"}`)
		fmt.Fprintln(os.Stderr, "panic: index out of range")
		syscall.Exit(2)
	}
	os.Exit(m.Run())
}

func play(role string) func(context.Context) *exec.Cmd {
	return func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, os.Args[0], role) }
}

// mustData makes a data directory with a Function of two Versions.
func mustData(t *testing.T) datadir.Dir {
	t.Helper()
	dir := datadir.Dir(filepath.Join(t.TempDir(), "data"))
	n, err := node.Start(t.Context(), node.Config{Data: string(dir), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0",
		Compile: play(roleCompile), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ns, err := n.Registry().CreateNamespace(t.Context(), deploy.Local, "ns")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		var m hosttest.Module
		m.Memory(1)
		m.Data(0, []byte{byte(i)})
		m.Func("fetch", nil, nil, nil)
		_, err := n.Registry().Deploy(t.Context(), deploy.Local, "f", deploy.Upload{Module: m.Bytes(),
			Settings: deploy.Settings{KVNamespaces: []deploy.KVNamespace{{Binding: "KV", ID: ns.ID}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustRun(t *testing.T, dir datadir.Dir, repair bool) *doctor.Report {
	t.Helper()
	r, err := doctor.Run(t.Context(), doctor.Config{Dir: dir, Child: play(roleDoctor), Repair: repair})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustOpen(t *testing.T, dir datadir.Dir) *node.Data {
	t.Helper()
	data, err := node.OpenData(node.DataConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// edit changes the first record with a prefix; nil deletes it.
func edit(t *testing.T, dir datadir.Dir, prefix string, change func(value []byte) []byte) {
	t.Helper()
	data := mustOpen(t, dir)
	defer data.Close()
	page, err := data.Store.List(t.Context(), kv.ListOptions{Prefix: prefix, Limit: 1})
	if err != nil || len(page.Entries) == 0 {
		t.Fatalf("no record is below %s (%v)", prefix, err)
	}
	e, err := data.Store.Get(t.Context(), page.Entries[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	if value := change(e.Value); value == nil {
		err = data.Store.Delete(t.Context(), e.Key, kv.DeleteOptions{})
	} else {
		_, err = data.Store.Put(t.Context(), e.Key, value, kv.PutOptions{Metadata: e.Metadata})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSound(t *testing.T) {
	dir := mustData(t)
	before := names(t, dir)
	if r := mustRun(t, dir, true); !r.Sound() || len(r.Problems) > 0 || r.Blobs < 3 || r.Compiled == 0 || r.Entries < 6 {
		t.Errorf("got %+v", r)
	}
	if after := names(t, dir); !slices.Equal(after, before) {
		t.Errorf("doctor left %v, there was %v", after, before)
	}
}

// A directory with secrets whose key is elsewhere, such as a restored one, says so.
func TestNoKey(t *testing.T) {
	dir := mustData(t)
	n, err := node.Start(t.Context(), node.Config{Data: string(dir), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0",
		Compile: play(roleCompile), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Registry().SetSecrets(t.Context(), deploy.Local, "f", "", map[string]*string{"KEY": new("text")}); err != nil {
		t.Fatal(err)
	}
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r := mustRun(t, dir, false); r.NoKey || !r.Sound() {
		t.Errorf("with the key: got %+v", r)
	}
	if err := os.Remove(dir.KEK()); err != nil {
		t.Fatal(err)
	}
	if r := mustRun(t, dir, false); !r.NoKey || !r.Sound() {
		t.Errorf("without the key: got %+v", r)
	}
}

func names(t *testing.T, dir datadir.Dir) (all []string) {
	t.Helper()
	files, err := os.ReadDir(string(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		all = append(all, f.Name())
	}
	return all
}

// TestRecords damages one record at a time, as a wrong program would: its checksums
// are right.
func TestRecords(t *testing.T) {
	gone := func([]byte) []byte { return nil }
	garbled := func([]byte) []byte { return []byte(`{"name":`) }
	for _, tt := range []struct {
		name, prefix string
		change       func([]byte) []byte
		want         []string // parts of problems
	}{
		{"function garbled", "node/functions/", garbled, []string{"node/functions/local/f: the record does not hold what its kind has"}},
		{"function is another", "node/functions/", func(v []byte) []byte { return bytes.Replace(v, []byte(`"name":"f"`), []byte(`"name":"g"`), 1) }, []string{"node/functions/local/f: the record does not hold"}},
		{"version gone", "node/versions/", gone, []string{"node/functions/local/f: the record of version"}},
		{"version garbled", "node/versions/", garbled, []string{"node/versions/local/f/"}},
		{"namespace gone", "node/namespaces/", gone, []string{"the KV namespace of binding KV is missing"}},
		{"namespace garbled", "node/namespaces/", garbled, []string{"node/namespaces/"}},
		{"token garbled", "node/tokens/", garbled, []string{"node/tokens/", "admin.token: it holds no token that the node knows"}},
		{"snapshot garbled", "node/snapshots/", garbled, []string{"node/snapshots/local/f/"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := mustData(t)
			edit(t, dir, tt.prefix, tt.change)
			wantProblems(t, mustRun(t, dir, false), tt.want)
		})
	}
}

func wantProblems(t *testing.T, r *doctor.Report, want []string) {
	t.Helper()
	var got []string
	for _, p := range r.Problems {
		got = append(got, p.Where+": "+p.What)
		if p.Means == "" || p.Fix == "" {
			t.Errorf("%+v does not say all", p)
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g string) bool { return strings.Contains(g, w) }) {
			t.Errorf("got %q, want %q", got, w)
		}
	}
}

// TestRepair damages what is made again, and a module, which is not.
func TestRepair(t *testing.T) {
	dir := mustData(t)
	edit(t, dir, "node/snapshots/", func([]byte) []byte { return []byte("{}") })
	for _, pattern := range []string{"blobs/??/*", "code/wazero-*/*"} {
		files, err := filepath.Glob(filepath.Join(string(dir), pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, f := range files {
			if err := os.WriteFile(f, []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := mustRun(t, dir, true)
	wantProblems(t, r, []string{"node/snapshots/local/f/", "node/versions/local/f/", "code/wazero-"})
	for _, p := range r.Problems {
		if user := strings.HasPrefix(p.Where, "node/versions/"); p.Repaired == user {
			t.Errorf("repaired %v: %+v", p.Repaired, p)
		}
	}
	again := mustRun(t, dir, false)
	for _, p := range again.Problems {
		if !strings.HasPrefix(p.Where, "node/versions/") {
			t.Errorf("after the repair: %+v", p)
		}
	}
	if len(again.Problems) != 2 || again.Sound() {
		t.Errorf("after the repair: got %d problems, want those of 2 modules", len(again.Problems))
	}
}

// A child that dies is a finding, with its last words.
func TestCrash(t *testing.T) {
	dir := mustData(t)
	r, err := doctor.Run(t.Context(), doctor.Config{Dir: dir, Child: play(roleCrash)})
	if err != nil {
		t.Fatal(err)
	}
	wantProblems(t, r, []string{"kv: reading the database ended the process that did it (exit status 2): panic: index out of range", "kv/1/k: so far"})
	if _, err := doctor.Run(t.Context(), doctor.Config{Dir: dir, Child: func(ctx context.Context) *exec.Cmd {
		return exec.CommandContext(ctx, filepath.Join(t.TempDir(), "absent"))
	}}); err == nil {
		t.Error("a child that can't be started is no error")
	}
}

func TestRefuses(t *testing.T) {
	dir := mustData(t)
	data := mustOpen(t, dir)
	defer data.Close()
	_, err := doctor.Run(t.Context(), doctor.Config{Dir: dir, Child: play(roleDoctor)})
	if err == nil || !strings.Contains(err.Error(), "is in use by process") {
		t.Errorf("while a node has the directory: got %v", err)
	}
	if _, err := doctor.Run(t.Context(), doctor.Config{Dir: datadir.Dir(t.TempDir()), Child: play(roleDoctor)}); err == nil {
		t.Error("an empty directory is no error")
	}
}

// Whoever can read what an authority has issued can pass himself off as the node.
func TestCertificatesThatStrangersRead(t *testing.T) {
	dir := mustData(t)
	if err := os.Mkdir(dir.ACME(), 0o700); err != nil {
		t.Fatal(err)
	}
	if r := mustRun(t, dir, false); len(r.Problems) > 0 {
		t.Errorf("mode 0700: %+v", r.Problems)
	}
	if err := os.Chmod(dir.ACME(), 0o755); err != nil {
		t.Fatal(err)
	}
	if r := mustRun(t, dir, false); len(r.Problems) != 1 || r.Problems[0].Where != "acme" || r.Problems[0].Fix != "chmod 700 "+dir.ACME() {
		t.Errorf("mode 0755: %+v", r.Problems)
	}
}
