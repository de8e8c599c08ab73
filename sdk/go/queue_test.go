package mayfly_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go"
	"github.com/mayfly-run/mayfly/sdk/go/mayflytest"
)

func TestHandleQueue(t *testing.T) {
	var got mayfly.Batch
	after := false
	mayfly.HandleQueue(func(b *mayfly.Batch) error {
		got = *b
		b.Messages[0].Ack()
		b.Messages[0].Retry() // too late
		b.Messages[1].RetryAfter(time.Minute)
		b.RetryAll()
		mayfly.WaitUntil(func() { after = true })
		return nil
	})
	at := time.Date(2026, 11, 26, 5, 0, 0, 0, time.UTC)
	decisions, err := new(mayflytest.Node).RunQueue("jobs",
		mayfly.Message{ID: "a", Sent: at, Attempts: 3, ContentType: mayfly.ContentText, Body: []byte("one")}, mayfly.Message{Body: []byte("2")}, mayfly.Message{})
	if want := []mayflytest.Decision{{}, {Retry: true, Delay: time.Minute}, {Retry: true, Delay: -1}}; err != nil || !reflect.DeepEqual(decisions, want) || !after {
		t.Errorf("got %v, %v, after %v, want %v", decisions, err, after, want)
	}
	if m := got.Messages[0]; got.Queue != "jobs" || m.ID != "a" || !m.Sent.Equal(at) || m.Attempts != 3 || m.ContentType != mayfly.ContentText || string(m.Body) != "one" {
		t.Errorf("got %+v, first %+v", got, m)
	}
	if m := got.Messages[1]; m.ID != "message-2" || m.Attempts != 1 || m.Sent.IsZero() {
		t.Errorf("got %+v", m)
	}
}

func TestQueueFails(t *testing.T) {
	mayfly.HandleQueue(func(b *mayfly.Batch) error {
		b.Messages[1].Ack()
		return errors.New("no database")
	})
	decisions, err := new(mayflytest.Node).RunQueue("jobs", mayfly.Message{}, mayfly.Message{})
	if !errors.Is(err, mayflytest.ErrQueue) || !strings.HasSuffix(err.Error(), ": no database") {
		t.Errorf("got %v", err)
	}
	if want := []mayflytest.Decision{{Retry: true, Delay: -1}, {}}; !reflect.DeepEqual(decisions, want) {
		t.Errorf("got %v, want %v", decisions, want)
	}
}

func TestQueueSend(t *testing.T) {
	jobs := mayfly.Queue("JOBS")
	var errs []error
	var backlog mayfly.Backlog
	mayfly.HandleQueue(func(*mayfly.Batch) error {
		errs = []error{
			jobs.Send(mayfly.JSONMessage([]byte(`{}`)), mayfly.TextMessage("hi").After(time.Second), mayfly.BytesMessage([]byte{1}).After(-1)),
			jobs.Send(),
			jobs.Send(mayfly.Outgoing{Body: make([]byte, 128_001)}),
			jobs.Send(mayfly.Outgoing{Delay: 25 * time.Hour}),
			mayfly.Queue("OTHER").Send(mayfly.TextMessage("x")),
		}
		backlog, _ = jobs.Backlog()
		return nil
	})
	node := new(mayflytest.Node)
	queue := node.Queue("JOBS")
	if _, err := node.RunQueue("q"); err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, mayfly.ErrInvalid, mayfly.ErrTooLarge, mayfly.ErrInvalid, mayfly.ErrDenied} {
		if !errors.Is(errs[i], want) {
			t.Errorf("%d: got %v, want %v", i, errs[i], want)
		}
	}
	if backlog.Messages != 3 || backlog.Bytes != 5 {
		t.Errorf("got %+v", backlog)
	}
	want := []mayfly.Outgoing{{Body: []byte("{}")}, {ContentType: mayfly.ContentText, Body: []byte("hi"), Delay: time.Second}, {ContentType: mayfly.ContentBytes, Body: []byte{1}, Delay: -1}}
	if got := queue.Take(); !reflect.DeepEqual(got, want) || len(queue.Take()) > 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestHandleKV(t *testing.T) {
	var got mayfly.KVEvent
	mayfly.HandleKV(func(e *mayfly.KVEvent) error {
		got = *e
		if e.Deleted {
			return errors.New("gone")
		}
		return nil
	})
	at := time.Date(2026, 11, 26, 5, 0, 0, 0, time.UTC)
	sent := mayfly.KVEvent{Namespace: "ns", Binding: "STORE", Key: "k", Revision: 7, OldRevision: 3, Value: []byte("v"), Size: 1, Metadata: []byte("{}"), Expires: at, Time: at, Attempt: 2}
	if err := new(mayflytest.Node).RunKV(sent); err != nil || !reflect.DeepEqual(got, sent) {
		t.Errorf("got %+v, %v, want %+v", got, err, sent)
	}
	if err := new(mayflytest.Node).RunKV(mayfly.KVEvent{Key: "k", Deleted: true}); !errors.Is(err, mayflytest.ErrKV) || got.Value != nil || got.Attempt != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}
