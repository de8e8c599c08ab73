package torture_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

const connections = 1000

// TestTortureFiles opens more connections than the node may have files. Who has one
// goes on being served, KV is written and read, and deploys work; afterwards
// everybody is served again.
func TestTortureFiles(t *testing.T) {
	s, said := tryServe(t, filepath.Join(t.TempDir(), "data"), "", "sh", "-c", `ulimit -n 256; exec "$0" "$@"`)
	if s == nil {
		t.Fatal(said)
	}
	t.Cleanup(s.kill)
	s.mustDeploy(t, "local", "hello", good())
	ns, err := s.mustClient(t, "local").CreateNamespace(t.Context(), "files")
	if err != nil {
		t.Fatal(err)
	}
	flood := dialMany(s.web)
	if got := s.hello(); got != "hello" {
		t.Errorf("another client, during the flood: %s", got)
	}
	kept := 0
	for i := range 50 {
		key := fmt.Sprint("during-", i)
		s.mustPut(t, ns.ID, key, make([]byte, 50_000))
		if value, status := s.value(t, ns.ID, key); status == 200 && len(value) == 50_000 {
			kept++
		}
	}
	s.mustDeploy(t, "local", "other", saying("other"))
	files := s.files(t)
	for _, c := range flood {
		c.Close()
	}
	began := time.Now()
	for s.hello() != "hello" {
		if time.Since(began) > 3*time.Minute {
			t.Fatal("the node does not recover")
		}
	}
	recovery := time.Since(began).Round(time.Millisecond)
	printTable(t, "connections\tfiles of the node, of 256\twritten and read\trecovery", []string{
		fmt.Sprintf("%d of %d\t%d\t%d of 50\t%v", len(flood), connections, files, kept, recovery)})
	if kept != 50 {
		t.Errorf("%d of 50 values written during the flood can be read", kept)
	}
	if files > 200 {
		t.Errorf("the node has %d of 256 files open: too few are left for the rest", files)
	}
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
