package trigger_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// grows takes some pages of memory, fails if it gets none, and waits for its
// upstream, which is none of ours: it spins until its time is over.
func grows(pages int32) []byte {
	return guest("", func(map[string]uint32) [][]byte {
		return [][]byte{
			hosttest.I32Const(pages), hosttest.MemoryGrow, hosttest.I32Const(-1), hosttest.I32Eq,
			hosttest.If, hosttest.Unreachable, hosttest.End,
			hosttest.Loop, hosttest.Br(0), hosttest.End,
		}
	})
}

// statuses asks a Function many times at once and counts the answers.
func (s *server) statuses(function string, requests int) map[int]int {
	var all sync.WaitGroup
	var mu sync.Mutex // guards counts
	counts := map[int]int{}
	for range requests {
		all.Go(func() {
			c := s.dial()
			c.write("GET / HTTP/1.1\r\nHost: " + function + ".localhost\r\n\r\n")
			resp, err := http.ReadResponse(c.r, nil)
			if err != nil {
				s.t.Error(err)
				return
			}
			defer resp.Body.Close()
			if (resp.StatusCode == 429) != (resp.Header.Get("Retry-After") != "") {
				s.t.Errorf("status %d with Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
			}
			mu.Lock()
			defer mu.Unlock()
			counts[resp.StatusCode]++
		})
	}
	all.Wait()
	return counts
}

// longestSpin ends within the time that a client of these tests has.
const longestSpin = 100 * time.Second

// More requests at the same time than a Function may have wait for a moment, and
// are told so then; other Functions are not concerned.
func TestConcurrencyOfFunction(t *testing.T) { patiently(t, testConcurrencyOfFunction) }

func testConcurrencyOfFunction(t testing.TB, soon time.Duration) {
	s := start(t, host.Limits{CPU: 10 * time.Minute}, map[string][]byte{"free": helloGuest("hello")})
	must(s.registry.Deploy(t.Context(), "local", "busy", deploy.Upload{Module: spins(),
		Settings: deploy.Settings{Limits: deploy.Limits{Concurrency: 3, WallMillis: min(6*soon, longestSpin).Milliseconds()}}}))(t)
	done := make(chan map[int]int)
	go func() { done <- s.statuses("busy", 10) }()
	time.Sleep(50 * time.Millisecond)
	if status, body := s.get("free", "/"); status != 200 || body != "hello" {
		t.Errorf("another Function: status %d, %q", status, body)
	}
	if got := <-done; got[504] != 3 || got[429] != 7 {
		t.Errorf("got %v, want 3 that ran until their time was over and 7 that were turned away", got)
	}
}

// A burst that the Function gets through in time is answered as a whole. A busy machine
// may take longer than that, for some of them.
func TestBurstWaits(t *testing.T) {
	s := start(t, host.Limits{Concurrency: 2}, map[string][]byte{"hello": helloGuest("hello")})
	s.waitFor(func() bool { return s.statuses("hello", 20)[200] == 20 }, "a burst to be answered")
}

// What an account's requests may run at the same time is for all its Functions.
func TestConcurrencyOfAccount(t *testing.T) { patiently(t, testConcurrencyOfAccount) }

func testConcurrencyOfAccount(t testing.TB, soon time.Duration) {
	s := startWith(t, deploy.Config{AccountConcurrency: 2, Limits: host.Limits{Wall: min(6*soon, longestSpin), CPU: 10 * time.Minute}},
		map[string][]byte{"a": spins(), "b": spins()})
	must(s.registry.CreateAccount(t.Context(), "other", nil))(t)
	must(s.registry.Deploy(t.Context(), "other", "hello", deploy.Upload{Module: helloGuest("hello")}))(t)
	done := make(chan map[int]int)
	for _, function := range []string{"a", "b"} {
		go func() { done <- s.statuses(function, 3) }()
	}
	time.Sleep(50 * time.Millisecond)
	if status, body := s.get("hello.other", "/"); status != 200 || body != "hello" {
		t.Errorf("another account: status %d, %q", status, body)
	}
	a, b := <-done, <-done
	if a[504]+b[504] != 2 || a[429]+b[429] != 4 {
		t.Errorf("got %v and %v, want 2 that ran and 4 that were turned away", a, b)
	}
}

// Requests for which the node, or their account, has no memory left are turned
// away, and a guest that grows beyond it is refused; others are not concerned.
func TestMemoryIsShared(t *testing.T) { patiently(t, testMemoryIsShared) }

func testMemoryIsShared(t testing.TB, soon time.Duration) {
	const mib = 1 << 20
	s := startWith(t, deploy.Config{Memory: 100 * mib, AccountMemory: 64 * mib, Limits: host.Limits{Wall: 2 * soon, CPU: 10 * time.Minute}},
		map[string][]byte{"grows": grows(30 * mib >> 16), "hello": helloGuest("hello")})
	must(s.registry.CreateAccount(t.Context(), "other", nil))(t)
	must(s.registry.Deploy(t.Context(), "other", "hello", deploy.Upload{Module: helloGuest("hello")}))(t)
	done := make(chan map[int]int)
	go func() { done <- s.statuses("grows", 6) }()
	time.Sleep(100 * time.Millisecond)
	if status, body := s.get("hello.other", "/"); status != 200 || body != "hello" {
		t.Errorf("another account: status %d, %q", status, body)
	}
	if got := <-done; got[504] != 2 || got[503] != 4 {
		t.Errorf("got %v, want 2 with 30 MiB each, and 4 without", got)
	}
	if got := s.statuses("grows", 1); got[504] != 1 {
		t.Errorf("after the others ended: %v", got)
	}
	if !strings.Contains(s.log.String(), "outcome=exceededMemory") {
		t.Errorf("log: %s", s.log)
	}
}
