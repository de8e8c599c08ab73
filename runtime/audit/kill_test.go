package audit_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/audit"
)

const roleWriter = "audit-writer"

// TestMain is also the process that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == roleWriter {
		write(os.Args[2])
	}
	os.Exit(m.Run())
}

// write appends from several goroutines and tells each entry that is on disk.
func write(path string) {
	l, err := audit.Open(audit.Config{Path: path})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	done := make(chan string)
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprint(os.Getpid(), "-", w, "-", i)
				if err := l.Append(audit.Entry{Action: "PUT x", Request: id}); err != nil {
					id = "error " + err.Error()
				}
				done <- id
			}
		}()
	}
	for id := range done {
		fmt.Println(id)
	}
}

// TestKill kills a process that writes, many times: each entry that it told is
// in the log, and the chain holds over all of them.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	told := map[string]bool{}
	for range rounds {
		cmd := exec.Command(os.Args[0], roleWriter, path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(20+rand.IntN(150))*time.Millisecond, func() { cmd.Process.Kill() })
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				break // what is not a whole line was not told
			}
			told[strings.TrimSuffix(line, "\n")] = true
		}
		cmd.Wait()
		kill.Stop()
	}
	l := mustOpen(t, path)
	l.Close()
	s, err := audit.Read(bytes.NewReader(mustRead(t, path)), func(e audit.Entry) error {
		delete(told, e.Request)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for id := range told {
		t.Errorf("%s was told and is not there", id)
	}
	t.Logf("%d entries in %d rounds", s.Entries, rounds)
}
