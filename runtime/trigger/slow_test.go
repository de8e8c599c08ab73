package trigger_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
	"github.com/mayfly-run/mayfly/runtime/worker/workertest"
)

// dribble sends a beginning and then a byte now and then until the connection is
// answered or closed, and returns the answers.
func (s *rawServer) dribble(c *conn, begin string) string {
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	io.WriteString(c, begin) //nolint:errcheck // seen by the answers
	answers := make(chan string, 1)
	go func() { answers <- s.answers(c, false) }()
	for {
		select {
		case got := <-answers:
			return got
		case <-time.After(50 * time.Millisecond):
			io.WriteString(c, "a") //nolint:errcheck // the other side may be gone
		}
	}
}

// Clients that send a byte now and then have the time of a header, or of a body,
// as a whole, and others are served meanwhile.
func TestSlowClients(t *testing.T) {
	leavesPatiently(t, func(t testing.TB, soon time.Duration) {
		s := startRaw(t, impatient(soon))
		var slow sync.WaitGroup
		for range some(t, 25, 250) {
			for _, tt := range slowCases {
				slow.Go(func() {
					if got := s.dribble(s.dial(), tt.request); got != tt.want {
						t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
					}
				})
			}
		}
		for range 20 {
			if status, body := s.get("probe", "/"); status != 200 || body != "probe" {
				t.Errorf("another client: %d %q", status, body)
			}
			time.Sleep(20 * time.Millisecond)
		}
		slow.Wait()
	})
}

// Over TLS as well.
func TestSlowSecureClients(t *testing.T) {
	leavesPatiently(t, func(t testing.TB, soon time.Duration) {
		s := startRaw(t, impatient(soon))
		addr := s.secure()
		var slow sync.WaitGroup
		for _, tt := range slowCases {
			slow.Go(func() {
				if got := s.dribble(s.dialTLS(addr), tt.request); got != tt.want {
					t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
				}
			})
		}
		slow.Wait()
	})
}

var slowCases = []rawCase{
	{"request line", "GET /", "408 closed"},
	{"header", get + "X: a", "408 closed"},
	{"second header", get + end + get + "X: a", "200 408 closed"},
	{"body", post + "Content-Length: 5000\r\n\r\n", "408 closed"},
	{"body of some length", post + "Content-Length: 50000\r\n\r\n" + bytesOf(10_000), "408 closed"},
	{"long body", post + "Content-Length: 500000\r\n\r\n" + bytesOf(10_000), "418 closed"},
	{"chunk", chunked + "ffff\r\n", "418 closed"},
	{"chunk extension", chunked + "ffff;", "418 closed"},
	{"unread body", get + "Content-Length: 500000\r\n\r\n" + bytesOf(10_000), "200 closed"},
}

// Clients that send bodies slowly to a Function leave some of its places to others:
// half of them if the bodies are long, all if they are not.
func TestSlowBodiesLeaveRoom(t *testing.T) {
	for _, tt := range []struct{ name, begin string }{
		{"of some length", "Content-Length: 50000\r\n\r\n" + bytesOf(10_000)},
		{"long", "Content-Length: 500000\r\n\r\n" + bytesOf(10_000)},
		{"of unknown length", "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startWith(t, deploy.Config{AccountConcurrency: 6, Limits: host.Limits{Concurrency: 4}}, map[string][]byte{"body": echoGuest()}, impatient(5*time.Minute))
			statuses := make(chan int, 40)
			for range cap(statuses) {
				c := s.dial()
				c.write(post + tt.begin)
				go func() {
					if resp, err := http.ReadResponse(c.r, nil); err == nil {
						statuses <- resp.StatusCode
					}
				}()
			}
			for refused := 0; refused < cap(statuses)-2 && tt.name != "of some length"; { // those wait outside
				if status := <-statuses; status == 429 {
					refused++
				} else if status != 200 { // whose answer is not complete
					t.Fatalf("a slow client: status %d", status)
				}
			}
			for i := range 50 {
				body := strings.Repeat("x", i*1000)
				if status, got := s.send("POST", "body", "/", body); status != 200 || got != body {
					t.Fatalf("another client: status %d, %d bytes", status, len(got))
				}
			}
		})
	}
}

// Long bodies that have arrived take no part of what is for those that are to come.
func TestLongBodies(t *testing.T) {
	s := startWith(t, deploy.Config{Limits: host.Limits{Concurrency: 1}}, map[string][]byte{"body": echoGuest()})
	for range 5 {
		body := strings.Repeat("x", 300_000)
		s.waitFor(func() bool { // the one before gives its place back after its answer
			status, got := s.send("POST", "body", "/", body)
			return status == 200 && got == body
		}, "a place for a long body")
	}
}

func bytesOf(n int) string { return string(make([]byte, n)) }

// largeGuest answers with as many pages of zeros.
func largeGuest(pages int32) []byte {
	return guest("", func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(pages), hosttest.MemoryGrow, numbers(-1), hosttest.I32Eq, hosttest.If, hosttest.Unreachable, hosttest.End,
			numbers(200, 0, 0, 0, pages<<16), hosttest.Call(call["respond"]), hosttest.Drop,
		}
	}, "respond")
}

// startLarge serves a Function with answers of 24 MiB where there is memory for
// few of them.
func startLarge(t testing.TB, edit ...func(*trigger.HTTPConfig)) *server {
	const mib = 1 << 20
	return startWith(t, deploy.Config{Memory: 128 * mib, AccountMemory: 128 * mib, Limits: host.Limits{Response: 32 * mib}},
		map[string][]byte{"large": largeGuest(24 * mib >> 16), "hello": helloGuest("hello")}, edit...)
}

// ask sends a request and reads the head of the answer.
func (s *server) ask(function string) (*conn, int) {
	s.t.Helper()
	c := s.dial()
	c.write("GET / HTTP/1.1\r\nHost: " + function + ".localhost\r\n\r\n")
	return c, c.response().StatusCode
}

// Answers that clients do not take count as memory of the node until the time for
// them is over: too many are refused instead of kept.
func TestSlowReaders(t *testing.T) {
	if workertest.Asked() {
		t.Skip("answers go through the node's memory twice: another number fits, at other moments")
	}
	leavesPatiently(t, func(t testing.TB, soon time.Duration) {
		s := startLarge(t, func(c *trigger.HTTPConfig) { c.ResponseTimeout = 2 * soon })
		counts := map[int]int{}
		var taken []*conn
		for range 10 {
			c, status := s.ask("large")
			if counts[status]++; status == 200 {
				taken = append(taken, c)
			}
		}
		if counts[200] == 0 || counts[200] > 5 {
			t.Errorf("got %v, want 24 MiB for at most five clients out of 128 MiB, and at least for one", counts)
		}
		if status, body := s.get("hello", "/"); status != 200 || body != "hello" {
			t.Errorf("another client: %d %q", status, body)
		}
		s.wholeAnswer() // once the time of one of the others is over
		s.waitFor(func() bool { return s.registry.RunningBytes() == 0 }, "the time of all to be over")
		for _, c := range taken {
			if n, _ := io.Copy(io.Discard, c.r); n >= 24<<20 {
				t.Error("an answer that nobody took in time was there as a whole")
			}
		}
	})
}

// wholeAnswer wants a large answer as a whole, so that there is memory for it.
func (s *server) wholeAnswer() {
	s.t.Helper()
	s.waitFor(func() bool {
		c := s.dial()
		c.write("GET / HTTP/1.1\r\nHost: large.localhost\r\n\r\n")
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			return false
		}
		n, _ := io.Copy(io.Discard, resp.Body) // which may be cut off on a busy machine
		return resp.StatusCode == 200 && n == 24<<20
	}, "memory for an answer")
}

// Clients that leave in the middle of an answer, by RST or by closing, leave no
// memory behind.
func TestClientsLeave(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		s := startLarge(t)
		for i := range some(t, 40, 1000) {
			c, _ := s.ask("large")
			if i%2 == 0 {
				c.Conn.(*net.TCPConn).SetLinger(0)
			}
			c.Close()
		}
		s.wholeAnswer()
	})
}

// A client that reads slowly, but within its time, gets all of its answer.
func TestPatientReader(t *testing.T) {
	s := startLarge(t)
	c, status := s.ask("large")
	if status != 200 {
		t.Fatalf("status %d", status)
	}
	size := int64(0)
	for range 24 {
		n, err := io.CopyN(io.Discard, c.r, 1<<20)
		if size += n; err != nil {
			t.Fatalf("after %d bytes: %v", size, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.write("GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
	if resp, err := http.ReadResponse(c.r, nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("next request: %v", err)
	}
}
