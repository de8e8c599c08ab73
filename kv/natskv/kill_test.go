package natskv_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/kv/porttest"
)

// The test binary is a server in a process of its own, if this names its directory.
const serverVariable = "NATSKV_TEST_SERVER"

func TestMain(m *testing.M) {
	dir, port, ok := strings.Cut(os.Getenv(serverVariable), "|")
	if !ok {
		os.Exit(m.Run())
	}
	if err := serve(dir, port); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(dir, port string) error {
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: n, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(startTime) {
		return errors.New("the NATS server does not start")
	}
	fmt.Println(s.ClientURL())
	os.Stdin.Read(make([]byte, 1)) // returns when the test ends
	return nil
}

// serverProcess is one that can be killed.
type serverProcess struct {
	cmd *exec.Cmd
	url string
}

func mustProcess(t *testing.T, dir string, port int) *serverProcess {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &serverProcess{cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), fmt.Sprint(serverVariable, "=", dir, "|", port))
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); p.kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the NATS server's process says %q, %v", line, err)
	}
	p.url = strings.TrimSpace(line)
	return p
}

func (p *serverProcess) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// TestKill kills the server again and again while two nodes write. What was
// acknowledged is there afterwards, what was not may be, the sum that was counted by
// comparing is exact, and the log has as many changes of it.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 2
	if os.Getenv("MAYFLY_TORTURE") != "" {
		kills = 40
	}
	dir := t.TempDir()
	port := porttest.Ports(t, 1)[0]
	p := mustProcess(t, dir, port)
	nodes := []*natskv.Store{mustOpen(t, impatient(natskv.Config{URL: p.url})), mustOpen(t, impatient(natskv.Config{URL: p.url}))}
	for _, s := range nodes {
		if err := kv.LogChanges(t.Context(), s, []kv.ChangeRule{{Prefix: "sum", Log: "log/"}}); err != nil {
			t.Fatal(err)
		}
	}
	l := &ledger{last: map[string]int{}, unclear: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers sync.WaitGroup
	for i, s := range nodes {
		for j := range 3 {
			writers.Go(func() { l.write(ctx, t, s, fmt.Sprintf("writer/%d/%d", i, j)) })
			writers.Go(func() { l.count(ctx, t, s) })
		}
	}
	for range kills {
		l.more(t, 100)
		p.kill()
		p = mustProcess(t, dir, port)
	}
	cancel()
	writers.Wait()
	fresh := mustOpen(t, impatient(natskv.Config{URL: p.url}))
	for _, s := range append(nodes, fresh) {
		eventually(t, "a node catches up", func() error { return s.Sync(t.Context()) })
		l.check(t, s)
	}
	t.Logf("%d kills: %d writes acknowledged, %d unclear; %d additions, %d unclear",
		kills, l.acked.Load(), l.lost, l.added.Load(), l.addedUnclear.Load())
}

// ledger knows what was acknowledged.
type ledger struct {
	acked, added, addedUnclear atomic.Int64

	mu      sync.Mutex     // guards the fields below
	last    map[string]int // acknowledged, by key
	unclear map[string]int // the highest that may have been written
	lost    int            // how many were not acknowledged
}

// more waits until n more writes are acknowledged.
func (l *ledger) more(t *testing.T, n int64) {
	t.Helper()
	before := l.acked.Load()
	eventually(t, "writes go on", func() error {
		if got := l.acked.Load() - before; got < n {
			return fmt.Errorf("%d acknowledged of %d more", got, n)
		}
		return nil
	})
}

// write writes rising numbers to keys of its own, and of varying length.
func (l *ledger) write(ctx context.Context, t *testing.T, s kv.Store, prefix string) {
	for n := 1; ctx.Err() == nil; n++ {
		key := fmt.Sprint(prefix, "/", n%5)
		value := fmt.Append(nil, n, strings.Repeat(" ", n%7*10_000))
		_, err := s.Put(context.Background(), key, value, kv.PutOptions{})
		l.mu.Lock()
		switch {
		case err == nil:
			l.last[key] = n
			l.acked.Add(1)
		case errors.Is(err, kv.ErrUnavailable):
			l.unclear[key] = n
			l.lost++
		default:
			t.Errorf("Put: %v", err)
		}
		l.mu.Unlock()
		if err != nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// count adds to one number that all share.
func (l *ledger) count(ctx context.Context, t *testing.T, s *natskv.Store) {
	for ctx.Err() == nil {
		e, err := s.Get(context.Background(), "sum")
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			t.Errorf("Get: %v", err)
			return
		}
		n, _ := strconv.Atoi(string(e.Value)) // 0 when there is none
		_, err = s.Put(context.Background(), "sum", strconv.AppendInt(nil, int64(n+1), 10), kv.PutOptions{If: kv.IfRevision(e.Revision)})
		switch {
		case err == nil:
			l.added.Add(1)
		case errors.Is(err, kv.ErrUnavailable):
			l.addedUnclear.Add(1)
			time.Sleep(10 * time.Millisecond)
		case !errors.Is(err, kv.ErrConflict):
			t.Errorf("Put: %v", err)
		}
	}
}

func (l *ledger) check(t *testing.T, s kv.Store) {
	t.Helper()
	for key, acked := range l.last {
		e, err := s.Get(t.Context(), key)
		n, _ := strconv.Atoi(strings.TrimSpace(string(e.Value)))
		if err != nil || n != acked && (n < acked || n > l.unclear[key]) {
			t.Errorf("key %s: got %d, %v; acknowledged was %d, unclear up to %d", key, n, err, acked, l.unclear[key])
		}
	}
	e, err := s.Get(t.Context(), "sum")
	sum, _ := strconv.ParseInt(string(e.Value), 10, 64)
	if n := countKeys(t, s, "log/"); int64(n) != sum {
		t.Errorf("%d changes were logged of %d", n, sum)
	}
	if least := l.added.Load(); err != nil || sum < least || sum > least+l.addedUnclear.Load() {
		t.Errorf("got sum %d, %v; %d additions were acknowledged, and %d are unclear", sum, err, least, l.addedUnclear.Load())
	}
}

func countKeys(t *testing.T, s kv.Store, prefix string) (n int) {
	t.Helper()
	for opts := (kv.ListOptions{Prefix: prefix}); ; {
		page, err := s.List(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.Entries)
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return n
		}
	}
}
