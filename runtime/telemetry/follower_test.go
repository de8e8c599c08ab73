package telemetry_test

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// follower reads a tail, and keeps what it is shown.
type follower struct {
	tail *telemetry.Tail
	conn net.Conn

	mu     sync.Mutex // guards what follows
	events []nodeEvent
	told   []string // what is missing
}

type nodeEvent struct {
	shown
	Node string
}

// mustFollow has a reader at a node, within a synctest bubble.
func mustFollow(t testing.TB, m *member, filters string) *follower {
	t.Helper()
	f, err := telemetry.ParseFilters([]byte(filters), self)
	if err != nil {
		t.Fatal(err)
	}
	tail, err := m.OpenTail("local", "shop", f, nil)
	if err != nil {
		t.Fatal(err)
	}
	node, client := net.Pipe()
	r := &follower{tail: tail, conn: client}
	go m.ServeTail(hijacked{node}, tailRequest(), tail.Ticket)
	from := bufio.NewReader(client)
	if _, err := http.ReadResponse(from, nil); err != nil {
		t.Fatal(err)
	}
	go r.read(from)
	t.Cleanup(func() { client.Close() })
	synctest.Wait()
	return r
}

func (r *follower) read(from *bufio.Reader) {
	for {
		f, err := ws.ReadFrame(from)
		if err != nil {
			return
		}
		switch f.Header.OpCode {
		case ws.OpPing:
			ws.WriteFrame(r.conn, ws.MaskFrame(ws.NewPongFrame(f.Payload)))
		case ws.OpText:
			var e nodeEvent
			if err := json.Unmarshal(f.Payload, &e); err != nil {
				panic(err)
			}
			r.mu.Lock()
			if e.Event.Type == "overload" {
				r.told = append(r.told, e.Event.Message)
			} else {
				r.events = append(r.events, e)
			}
			r.mu.Unlock()
		}
	}
}

// after returns what was shown since the last call, once a time has passed.
func (r *follower) after(d time.Duration) (events []nodeEvent, told []string) {
	time.Sleep(d)
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	events, told = r.events, r.told
	r.events, r.told = nil, nil
	return events, told
}

// nodes are where events happened.
func nodes(events []nodeEvent) string {
	var all []string
	for _, e := range events {
		all = append(all, e.Node)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
