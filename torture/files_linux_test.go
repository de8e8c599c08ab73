package torture_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	openFiles   = 256
	connections = 1000
)

// TestTortureFiles opens more connections than the node may have files. Those that
// it has go on meanwhile, writes to KV and reads of the database included, and
// afterwards everybody is served again.
func TestTortureFiles(t *testing.T) {
	s := mustServe(t, filepath.Join(t.TempDir(), "data"), "")
	s.mustDeploy(t, "local", "hello", good())
	ns, err := s.mustClient(t, "local").CreateNamespace(t.Context(), "files")
	if err != nil {
		t.Fatal(err)
	}
	limit := unix.Rlimit{Cur: openFiles, Max: openFiles}
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	s.mustPut(t, ns.ID, "before", []byte("v")) // keeps a connection to the API

	rows := []string{}
	flood := dialMany(s.web)
	kept := 0
	for i := range 50 {
		s.mustPut(t, ns.ID, fmt.Sprint("during-", i), make([]byte, 50_000))
		if value, status := s.value(t, ns.ID, fmt.Sprint("during-", i)); status == 200 && len(value) == 50_000 {
			kept++
		}
	}
	rows = append(rows, fmt.Sprintf("%d of %d\t%d\t%d of 50\t", len(flood), connections, s.files(t), kept))
	for _, c := range flood {
		c.Close()
	}
	if kept != 50 {
		t.Errorf("%d of 50 values written during the flood can be read", kept)
	}
	began := time.Now()
	for s.hello() != "hello" {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the node does not recover")
		}
		time.Sleep(10 * time.Millisecond)
	}
	rows[0] += time.Since(began).Round(time.Millisecond).String()
	if !s.alive() {
		t.Error("the node is gone")
	}
	printTable(t, "connections\tfiles of the node, of 256\twritten and read\trecovery", rows)
}

// dialMany opens connections that ask for nothing, as many as it gets.
func dialMany(addr string) (open []net.Conn) {
	var mu sync.Mutex // guards open
	var dials sync.WaitGroup
	for range 20 {
		dials.Go(func() {
			for range connections / 20 {
				c, err := net.DialTimeout("tcp", addr, time.Second)
				if err != nil {
					continue
				}
				mu.Lock()
				open = append(open, c)
				mu.Unlock()
			}
		})
	}
	dials.Wait()
	return open
}

// files is how many the node has open.
func (s *server) files(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
