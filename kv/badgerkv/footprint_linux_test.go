//go:build !race

// The race detector keeps several bytes beside each one of the program.

package badgerkv_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
)

// TestFootprint measures a process that has a filled store open and is idle.
func TestFootprint(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, badgerkv.Config{Dir: dir, NoSync: true})
	for i := range 20_000 {
		mustPut(t, s, fmt.Sprint("small/", i), make([]byte, 200), kv.PutOptions{})
	}
	for i := range 100 {
		mustPut(t, s, fmt.Sprint("large/", i), make([]byte, 1<<20), kv.PutOptions{})
	}
	mustClose(t, s)

	cmd := child(t, "idle", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}
	const limit = 100 << 10
	if got := residentKiB(t, cmd.Process.Pid); got > limit {
		t.Errorf("got %d KiB resident, want at most %d", got, limit)
	} else {
		t.Logf("%d KiB resident", got)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the child ended with %v", err)
	}
}

func residentKiB(t *testing.T, pid int) (n int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &n); !found || err != nil {
		t.Fatalf("no VmRSS in the status of %d (%v)", pid, err)
	}
	return n
}
