package torture_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// flipped are the files of a data directory in which bits are flipped: a name, and
// what belongs to it below the directory.
var flipped = []struct{ name, pattern string }{
	{recentWrites, "kv/*.mem"},
	{"table", "kv/*.sst"},
	{"value log", "kv/*.vlog"},
	{"manifest", "kv/MANIFEST"},
	{"key registry", "kv/KEYREGISTRY"},
	{"blob", "blobs/??/*"},
	{"machine code", "code/wazero-*/" + strings.Repeat("?", 64)},
	{"code manifest", "code/wazero-*/*.manifest"},
	{"code module", "code/wazero-*/*.module"},
	{"node.id", "node.id"},
	{"admin.token", "admin.token"},
	{"format", "format"},
	{"audit.log", "audit.log"},
}

// recentWrites is what only a node that was killed leaves.
const recentWrites = "recent writes"

// TestTortureFlips flips one bit at a time in a whole data directory. Doctor has to
// find it, or else it changes nothing that anyone sees. The node refuses to start
// and says why, or serves: right data, an error, never other data.
func TestTortureFlips(t *testing.T) {
	ended, killed := newWhole(t, (*server).end), newWhole(t, func(s *server, _ *testing.T) { s.kill() })
	each := 3
	if long() {
		each = 40
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var rows []string
	for _, f := range flipped {
		whole := ended
		if f.name == recentWrites {
			whole = killed
		}
		counts := map[string]int{}
		for range each {
			dir := filepath.Join(t.TempDir(), "data")
			mustCopy(t, whole.data, dir)
			file, at := flip(t, r, dir, f.pattern)
			found := whole.doctor(t, dir)
			outcome := whole.start(t, dir)
			if outcome == "refused" && f.name == recentWrites && at >= 20 { // before, it's the log's own head
				whole.doctor(t, dir, "--repair")
				if outcome = whole.start(t, dir); outcome != "right" {
					t.Errorf("seed %d: byte %d of %s: after a repair: %s", seed, at, file, outcome)
				}
				outcome = "refused, and right after a repair"
			}
			counts[found]++
			kind, repaired, _ := strings.Cut(outcome, ",")
			kind, _, _ = strings.Cut(kind, ":")
			counts[kind]++
			if repaired != "" {
				counts["repaired"]++
			}
			if found == "not found" && outcome != "right" {
				t.Errorf("seed %d: byte %d of %s: doctor found nothing, and the node: %s", seed, at, file, outcome)
			}
			if strings.HasPrefix(outcome, "WRONG") {
				t.Errorf("seed %d: byte %d of %s: %s", seed, at, file, outcome)
			}
			os.RemoveAll(dir)
		}
		rows = append(rows, fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d", f.name, each, counts["found"], counts["not found"],
			counts["refused"], counts["repaired"], counts["error"], counts["right"], counts["WRONG"]))
	}
	printTable(t, "bits flipped in\tflips\tfound by doctor\tnot found\tnode refuses\tright after a repair\tanswers an error\tall is right\twrong data", rows)
}

// whole is a data directory of a node that does not run any more, and what is in it.
type whole struct {
	data      string
	namespace string
	values    map[string][]byte
}

func newWhole(t *testing.T, end func(*server, *testing.T)) *whole {
	t.Helper()
	w := &whole{data: filepath.Join(t.TempDir(), "data"), values: map[string][]byte{}}
	s := mustServe(t, w.data, "")
	c := s.mustClient(t, "local")
	ns, err := c.CreateNamespace(context.Background(), "flips")
	if err != nil {
		t.Fatal(err)
	}
	w.namespace = ns.ID
	for i := range 60 {
		key := fmt.Sprintf("key-%d", i)
		w.values[key] = bytes.Repeat(fmt.Appendf(nil, "value %d.", i), []int{1, 300, 6000}[i%3])
		s.mustPut(t, w.namespace, key, w.values[key])
	}
	s.mustDeploy(t, "local", "hello", good())
	if got := s.hello(); got != "hello" {
		t.Fatalf("the Function answers %q", got)
	}
	end(s, t)
	if found := w.doctor(t, w.data); found != "not found" {
		t.Fatalf("before any damage doctor says: %s", found)
	}
	return w
}

// doctor says whether doctor finds anything that is left as it is.
func (w *whole) doctor(t *testing.T, dir string, flags ...string) string {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd := exec.Command(file, append([]string{"doctor", "--json", "--data", dir}, flags...)...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var report struct {
		Problems []struct{ Where, What, Means, Fix string }
	}
	if jsonErr := json.Unmarshal(out, &report); jsonErr != nil {
		t.Fatalf("doctor says %s%s, %v", out, &errs, err)
	}
	for _, p := range report.Problems {
		if p.Where == "" || p.What == "" || p.Means == "" || p.Fix == "" {
			t.Errorf("doctor does not say all of %+v", p)
		}
	}
	if len(flags) == 0 && (err == nil) != (len(report.Problems) == 0) {
		t.Errorf("doctor ended with %v and %d problems", err, len(report.Problems))
	}
	if err == nil {
		return "not found"
	}
	return "found"
}

// start says what a node does on the directory.
func (w *whole) start(t *testing.T, dir string) string {
	t.Helper()
	s, said := tryServe(t, dir, "")
	if s == nil {
		if !strings.Contains(said, "mayfly: ") || strings.Contains(said, "goroutine ") {
			return "WRONG: it ended with " + said
		}
		return "refused"
	}
	defer s.kill()
	outcome := "right"
	for _, key := range slices.Sorted(maps.Keys(w.values)) {
		got, status := s.value(t, w.namespace, key)
		switch {
		case status == 500:
			outcome = "error"
		case status != 200 || !bytes.Equal(got, w.values[key]):
			return fmt.Sprintf("WRONG: %s has status %d and %.40q", key, status, got)
		}
	}
	if got := s.hello(); got != "hello" {
		outcome = "error"
		if !strings.HasPrefix(got, "Error ") {
			return fmt.Sprintf("WRONG: the Function answers %q", got)
		}
	}
	return outcome
}

func mustCopy(t *testing.T, from, to string) {
	t.Helper()
	if err := errors.Join(os.CopyFS(to, os.DirFS(from)), modes(from, to)); err != nil {
		t.Fatal(err)
	}
}

// modes takes over what os.CopyFS does not.
func modes(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		return errors.Join(err, os.Chmod(filepath.Join(to, rel), info.Mode().Perm()))
	})
}

// flip inverts a random bit of a random file that matches, in what is used of it.
func flip(t *testing.T, r *rand.Rand, dir, pattern string) (file string, at int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file is %s (%v)", pattern, err)
	}
	var used []byte
	for len(used) == 0 {
		file = files[r.IntN(len(files))]
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		used = bytes.TrimRight(data, "\x00")
	}
	at = r.IntN(len(used))
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 1 << r.IntN(8)
	when := time.Now().Add(-time.Hour)
	if err := errors.Join(os.WriteFile(file, data, 0o600), os.Chtimes(file, when, when)); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(file, dir), at
}
