package native_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/kv"
)

// little is numbers and texts one after the other, as they are in memory.
func little(parts ...any) string {
	var b bytes.Buffer
	for _, p := range parts {
		if s, ok := p.(string); ok {
			b.WriteString(s)
			continue
		}
		binary.Write(&b, binary.LittleEndian, p)
	}
	return b.String()
}

// eventful is everything with an event of each kind.
func eventful(t testing.TB) hosttest.Invocation {
	inv := everything(t)
	inv.Change = &host.KVChange{Namespace: "ns", Binding: "STORE", Key: "key", Revision: 7, OldRevision: 3, Value: []byte("value"), Size: 5,
		Metadata: []byte("{}"), Expires: time.Unix(60, 0), Time: time.UnixMilli(1234), Attempt: 2}
	inv.Queue = &host.QueueBatch{Queue: "jobs", Backlog: host.QueueBacklog{Messages: 9, Bytes: 100, Oldest: time.UnixMilli(5)}, Messages: []host.QueueMessage{
		{ID: "a", Sent: time.UnixMilli(6), Attempts: 1, ContentType: kv.ContentText, Body: []byte("text")},
		{ID: "bc", Sent: time.UnixMilli(7), Attempts: 4, ContentType: kv.ContentV8, Body: []byte("\xff\x0f0")},
	}}
	return inv
}

func batch(t *testing.T) (*guest, *host.QueueBatch) {
	inv := eventful(t)
	inv.Change = nil
	return newGuest(t, inv), inv.Queue
}

func TestBatch(t *testing.T) {
	g, b := batch(t)
	want := little(uint32(4), uint32(2), uint64(9), uint64(100), uint64(5), "jobs",
		uint32(1), uint32(1), uint32(1), uint32(4), uint64(6), "a", uint32(2), uint32(3), uint32(4), uint32(3), uint64(7), "bc")
	g.Want(int64(len(want)), "batch_head", 1, 0)
	g.Want(int64(len(want)), "batch_head", 17, 1000)
	g.WantMemory(17, want)
	g.Want(4, "batch_body", 0, 257, 9)
	g.WantMemory(257, "text")
	g.Want(invalid, "batch_body", 2, 0, 0)
	g.Want(0, "batch_ack", 0)
	g.Want(0, "batch_retry", 0, 5)
	g.Want(0, "batch_retry", 1, 1500)
	g.Want(invalid, "batch_retry", 1, 24*3600*1000+1)
	g.Want(invalid, "batch_retry", 1, -2)
	g.Want(invalid, "batch_retry", -1, 0)
	g.Want(invalid, "batch_ack", 2)
	g.Want(notFound, "change_head", 0, 0)
	g.Want(notFound, "scheduled_fail", 0, 0)
	if got, want := b.Decision(0, false), (host.QueueDecision{Made: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := b.Decision(1, true), (host.QueueDecision{Made: true, Retry: true, Delay: 1500 * time.Millisecond}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestBatchAll(t *testing.T) {
	g, b := batch(t)
	g.Want(invalid, "batch_retry_all", 1<<60)
	g.Want(0, "batch_retry_all", -1)
	g.Want(0, "batch_ack_all")
	if got, want := b.Decision(1, true), (host.QueueDecision{Made: true, Retry: true, Delay: host.NoDelay}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestChange(t *testing.T) {
	inv := eventful(t)
	inv.Queue = nil
	g := newGuest(t, inv)
	want := little(uint32(0), uint32(2), uint64(7), uint64(3), uint64(5), uint64(60), uint64(1234), uint32(2), uint32(5), uint32(3), uint32(2), "nsSTOREkey{}")
	g.Want(int64(len(want)), "change_head", 17, 1000)
	g.WantMemory(17, want)
	g.Want(5, "change_value", 257, 5)
	g.WantMemory(257, "value")
	g.Want(notFound, "batch_head", 0, 0)
	g.Want(notFound, "batch_ack_all")
	inv.Change.Omitted = true
	g.Want(tooLarge, "change_value", 0, 0)
	inv.Change.Deleted = true
	g.Want(notFound, "change_value", 0, 0)
	g.Must("change_head", 17, 1000)
	if got := g.Uint32(17); got != 3 {
		t.Errorf("the flags are %d, want 3", got)
	}
}

func TestNoEvent(t *testing.T) {
	g := newGuest(t, everything(t))
	for _, name := range []string{"change_head", "change_value", "batch_head", "event_fail"} {
		g.Want(notFound, name, 0, 0)
	}
	g.Want(notFound, "batch_body", 0, 0, 0)
	g.Want(invalid, "handles", 16)
	g.Want(0, "handles", 1)
	g.Want(0, "handles", 12)
	if got, want := g.Call.Handlers, host.HandlesFetch|host.HandlesQueue|host.HandlesKV; got != want {
		t.Errorf("got %v, want %v", got.Names(), want.Names())
	}
}

func TestQueueSend(t *testing.T) {
	inv := everything(t)
	q := inv.Bindings.Queues["JOBS"].(*hosttest.Queue)
	g := newGuest(t, inv)
	jobs := g.Must("queue_open", g.puts("JOBS")...)
	g.Want(notFound, "queue_open", g.puts("OTHER")...)
	op := g.Must("queue_send", with(jobs, g.puts(little(uint32(1), uint32(2), int64(-1), "hi", uint32(2), uint32(0), int64(1500))))...)
	g.Want(0, "queue_status", op)
	sent := q.Sent()
	if len(sent) != 2 || string(sent[0].Body) != "hi" || sent[0].ContentType != kv.ContentText || sent[0].Delay != host.NoDelay ||
		sent[1].ContentType != kv.ContentBytes || len(sent[1].Body) != 0 || sent[1].Delay != 1500*time.Millisecond {
		t.Errorf("sent %+v", sent)
	}
	backlog := g.Must("queue_backlog", jobs)
	g.Want(2, "queue_messages", backlog)
	g.Want(2, "queue_bytes", backlog)
	g.Want(0, "queue_oldest", backlog)
	for what, messages := range map[string]string{
		"nothing":      "",
		"a short head": "\x00\x00\x00\x00",
		"a short body": little(uint32(1), uint32(3), int64(-1), "hi"),
		"a type":       little(uint32(4), uint32(2), int64(-1), "hi"),
		"a delay":      little(uint32(1), uint32(2), int64(86_400_001), "hi"),
		"a bad delay":  little(uint32(1), uint32(2), int64(-2), "hi"),
	} {
		if got := g.Must("queue_send", with(jobs, g.puts(messages))...); got != invalid {
			t.Errorf("%s: got %d, want %d", what, got, invalid)
		}
	}
	g.Put(20000, uint32(1), uint32(40_000), int64(-1))
	g.Want(badHandle, "queue_send", 99, 0, 0)
	g.Want(badHandle, "queue_backlog", op)
	if len(q.Sent()) != 2 {
		t.Errorf("sent %+v", q.Sent())
	}
	q.Fail = host.Errorf(host.CodeUnavailable, "away")
	failing := g.Must("queue_send", with(jobs, g.puts(little(uint32(1), uint32(2), int64(-1), "hi")))...)
	g.Want(unavailable, "queue_status", failing)
}
