package natsqueue_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/kv/natsqueue"
)

func texts(n int) (list []kv.Message) {
	for i := range n {
		list = append(list, kv.Message{ContentType: kv.ContentText, Body: fmt.Append(nil, i)})
	}
	return list
}

func mustSend(t *testing.T, q kv.Queues, list ...kv.Message) {
	t.Helper()
	if _, err := q.Send(t.Context(), queue, list, kv.SendOptions{}); err != nil {
		t.Fatal(err)
	}
}

// eventually calls do until it returns nil.
func eventually(t *testing.T, what string, do func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = do(); err == nil {
			return
		}
	}
	t.Fatalf("not within two minutes: %s: %v", what, err)
}

// A node that gives messages out has room again once they are settled or purged at another.
func TestSettledElsewhere(t *testing.T) {
	t.Parallel()
	s := mustServer(t, t.TempDir())
	var nodes []*natsqueue.Queues
	for range 2 {
		q := mustNew(t, natsqueue.Config{Conn: mustConnect(t, s), Bucket: "elsewhere", AccountLeased: 10})
		t.Cleanup(func() { q.Close() })
		nodes = append(nodes, q)
	}
	mustSend(t, nodes[0], texts(30)...)
	pull := func() (list []kv.Delivery, err error) {
		return nodes[0].Receive(t.Context(), queue, kv.ReceiveOptions{Max: 10, Lease: time.Hour, Bounded: true})
	}
	first, err := pull()
	if err != nil || len(first) != 10 {
		t.Fatalf("got %d messages, %v", len(first), err)
	}
	if _, err := pull(); err == nil {
		t.Fatal("more were leased than there may be")
	}
	for what, do := range map[string]func() error{
		"settled": func() error {
			_, err := nodes[1].Settle(t.Context(), queue, []kv.Settlement{{Lease: first[0].Lease}, {Lease: first[1].Lease, Retry: true}})
			return err
		},
		"purged": func() error { return nodes[1].Purge(t.Context(), queue) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		mustSend(t, nodes[1], texts(1)...)
		eventually(t, "there is room after some were "+what, func() error {
			list, err := pull()
			if err == nil && len(list) == 0 {
				err = errors.New("nothing was received")
			}
			return err
		})
	}
}

// Who has room by what is known does not wait until somebody has looked, nor for servers
// that do not tell.
func TestSendWithoutLooking(t *testing.T) {
	t.Parallel()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Users: []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.LIST"}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { stop(s) })
	if !s.ReadyForConnections(startTime) {
		t.Fatal("the NATS server does not start")
	}
	conn, err := nats.Connect(s.ClientURL(), nats.UserInfo("u", "p"), nats.Timeout(startTime))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	q := mustNew(t, natsqueue.Config{Conn: conn, QueueBytes: 100_000})
	defer q.Close()
	for range 10 {
		mustSend(t, q, texts(10)...)
	}
	if stats, err := q.Stats(t.Context(), queue); err != nil || stats.Messages != 100 {
		t.Errorf("got %+v, %v, want 100 messages", stats, err)
	}
}

// What another node sends is counted, after a while, and what consumers take.
func TestRoomOfOthers(t *testing.T) {
	t.Parallel()
	s := mustServer(t, t.TempDir())
	var nodes []*natsqueue.Queues
	for range 2 {
		q := mustNew(t, natsqueue.Config{Conn: mustConnect(t, s), Bucket: "room", QueueBytes: 50_000})
		t.Cleanup(func() { q.Close() })
		nodes = append(nodes, q)
	}
	send := func(q kv.Queues) error {
		_, err := q.Send(t.Context(), queue, []kv.Message{{ContentType: kv.ContentText, Body: make([]byte, 1000)}}, kv.SendOptions{})
		return err
	}
	full := func(q kv.Queues) func() error {
		return func() error {
			if limit, ok := errors.AsType[*kv.LimitError](send(q)); !ok || limit.Status != http.StatusTooManyRequests {
				return errors.New("it is not full")
			}
			return nil
		}
	}
	if err := send(nodes[1]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queue is full", full(nodes[0]))
	eventually(t, "the other node notices", full(nodes[1]))
	stats, err := nodes[0].Stats(t.Context(), queue)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range mustReceive(t, nodes[0], int(stats.Messages)-5) {
		if _, err := nodes[0].Settle(t.Context(), queue, []kv.Settlement{{Lease: d.Lease}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range nodes {
		if err := send(q); err != nil {
			t.Errorf("there is room again, and a message is refused: %v", err)
		}
	}
}

// What somebody else has written into the stream of a queue is removed, and said so. The
// messages beside it are delivered.
func TestMalformed(t *testing.T) {
	t.Parallel()
	conn := mustConnect(t, mustServer(t, t.TempDir()))
	var log logtest.Buffer
	q, err := natsqueue.New(natsqueue.Config{Conn: conn, Logger: log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	mustSend(t, q, texts(1)...)
	const ms = "4102444800000" // in 2100
	malformed := []nats.Header{
		nil,
		{"Mayfly-Id": {"x"}, "Mayfly-Sent": {ms}, "Mayfly-Expires": {ms}, "Mayfly-Type": {"text"}},
		{"Mayfly-Id": {strings.Repeat("0", 32)}, "Mayfly-Sent": {"now"}, "Mayfly-Expires": {ms}, "Mayfly-Type": {"text"}},
		{"Mayfly-Id": {strings.Repeat("0", 32)}, "Mayfly-Sent": {ms}, "Mayfly-Type": {"text"}},
		{"Mayfly-Id": {strings.Repeat("0", 32)}, "Mayfly-Sent": {ms}, "Mayfly-Expires": {ms}, "Mayfly-Type": {"xml"}},
	}
	bodies := [][]byte{nil, nil, nil, nil, nil, make([]byte, kv.MaxBatchBytes*2)}
	for i, body := range bodies {
		m := nats.NewMsg("mayfly.mayfly.q.local.q.due")
		m.Data = body
		if i < len(malformed) {
			m.Header = malformed[i]
		}
		if _, err := conn.RequestMsg(m, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	mustSend(t, q, texts(1)...)
	if list := mustReceive(t, q, 2); list[0].Attempts != 1 || list[1].Attempts != 1 {
		t.Errorf("got %+v", list)
	}
	eventually(t, "the others are removed", func() error {
		s, err := q.Stats(t.Context(), queue)
		if err == nil && s.Messages != 2 {
			err = fmt.Errorf("there are %d messages", s.Messages)
		}
		return err
	})
	for i := range bodies {
		if want := fmt.Sprintf("queue=q stream=MAYFLY_mayfly_queue_local_q sequence=%d ", i+2); !strings.Contains(log.String(), want) {
			t.Errorf("the log does not have %q:\n%s", want, log.String())
		}
	}
}
