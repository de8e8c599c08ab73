package queuetest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

func testSendReceiveAck(t *testing.T, f *fixture) {
	before := time.Now().Add(-time.Second)
	ids := f.mustSend(t, queue, text("a"))
	d := f.mustReceive(t, queue, 1, long)[0]
	if d.ID != ids[0] || string(d.Body) != "a" || d.ContentType != kv.ContentText || d.Attempts != 1 || d.Sent.Before(before) || d.Sent.After(time.Now().Add(time.Second)) {
		t.Errorf("got %+v, want the message %s", d, ids[0])
	}
	f.wantNone(t, queue, 0)
	f.mustAck(t, queue, []kv.Delivery{d})
	if s := f.mustStats(t, queue); s.Messages != 0 {
		t.Errorf("there are %d messages after all were acknowledged", s.Messages)
	}
	f.wantNone(t, queue, 0)
}

func testBodies(t *testing.T, f *fixture) {
	all := []byte{}
	for i := range 256 {
		all = append(all, byte(i))
	}
	list := []kv.Message{
		{ContentType: kv.ContentBytes, Body: all},
		{ContentType: kv.ContentJSON, Body: []byte(`{"a":1}`)},
		{ContentType: kv.ContentText},
		{ContentType: kv.ContentV8, Body: bytes.Repeat([]byte{0xff}, kv.MaxMessage)},
	}
	sent := map[string]kv.Message{}
	for i, id := range f.mustSend(t, queue, list...) {
		sent[id] = list[i]
	}
	for _, d := range f.mustReceive(t, queue, len(list), long) {
		m, ok := sent[d.ID]
		if !ok || !bytes.Equal(m.Body, d.Body) || m.ContentType != d.ContentType {
			t.Errorf("got %d bytes of type %s, want %d of type %s", len(d.Body), d.ContentType, len(m.Body), m.ContentType)
		}
	}
}

func testLimits(t *testing.T, f *fixture) {
	many := make([]kv.Message, kv.MaxBatch+1)
	for i := range many {
		many[i] = text("a")
	}
	long := text(string(make([]byte, kv.MaxMessage)))
	for name, tt := range map[string]struct {
		list   []kv.Message
		opts   kv.SendOptions
		status int
	}{
		"no message":         {nil, kv.SendOptions{}, http.StatusBadRequest},
		"too many":           {many, kv.SendOptions{}, http.StatusRequestEntityTooLarge},
		"too long":           {[]kv.Message{text(string(make([]byte, kv.MaxMessage+1)))}, kv.SendOptions{}, http.StatusRequestEntityTooLarge},
		"too long together":  {[]kv.Message{long, long, text("a")}, kv.SendOptions{}, http.StatusRequestEntityTooLarge},
		"unknown type":       {[]kv.Message{{ContentType: "xml"}}, kv.SendOptions{}, http.StatusBadRequest},
		"delay too long":     {[]kv.Message{{ContentType: kv.ContentText, Delay: kv.MaxDelay + 1}}, kv.SendOptions{}, http.StatusBadRequest},
		"delay negative":     {[]kv.Message{{ContentType: kv.ContentText, Delay: -1}}, kv.SendOptions{}, http.StatusBadRequest},
		"retention too long": {[]kv.Message{text("a")}, kv.SendOptions{Retention: kv.MaxRetention + 1}, http.StatusBadRequest},
	} {
		_, err := f.Send(t.Context(), queue, tt.list, tt.opts)
		limit, ok := errors.AsType[*kv.LimitError](err)
		if !ok || limit.Status != tt.status {
			t.Errorf("%s: got %v, want a limit of status %d", name, err, tt.status)
		}
	}
	f.mustSend(t, queue, many[:kv.MaxBatch]...)
	if s := f.mustStats(t, queue); s.Messages != kv.MaxBatch {
		t.Errorf("there are %d messages, want those of the batch that is allowed", s.Messages)
	}
	for _, opts := range []kv.ReceiveOptions{{Max: 0, Lease: time.Minute}, {Max: kv.MaxBatch + 1, Lease: time.Minute}, {Max: 1}, {Max: 1, Lease: kv.MaxLease + 1}} {
		if _, err := f.Receive(t.Context(), queue, opts); err == nil {
			t.Errorf("Receive took %+v", opts)
		}
	}
}

// Nothing is promised, but nobody is passed over for long.
func testOrder(t *testing.T, f *fixture) {
	for i := range 30 {
		f.mustSend(t, queue, text(fmt.Sprint(i)))
	}
	for i, d := range f.mustReceive(t, queue, 10, long) {
		if len(d.Body) != 1 {
			t.Errorf("message %d of the first ten is %s", i, d.Body)
		}
	}
}

func testDelay(t *testing.T, f *fixture) {
	late := text("late")
	late.Delay = 2 * time.Second
	sent := time.Now()
	f.mustSend(t, queue, late, text("now"))
	for range 2 { // on a busy machine both may be due by now
		got := bodies(f.mustReceive(t, queue, 1, long))
		if waited := time.Since(sent); got["late"] == 1 && waited < late.Delay {
			t.Errorf("the message came after %v, want %v", waited, late.Delay)
		}
	}
}

func testRetry(t *testing.T, f *fixture) {
	id := f.mustSend(t, queue, text("again"))[0]
	for attempt := 1; attempt <= 4; attempt++ {
		d := f.mustReceive(t, queue, 1, long)[0]
		if d.ID != id || d.Attempts != attempt || string(d.Body) != "again" {
			t.Fatalf("got %+v, want attempt %d", d, attempt)
		}
		f.mustSettle(t, queue, kv.Settlement{Lease: d.Lease, Retry: true})
	}
	f.mustAck(t, queue, f.mustReceive(t, queue, 1, long))
	f.wantNone(t, queue, 0)
}

func testRetryDelay(t *testing.T, f *fixture) {
	f.mustSend(t, queue, text("again"))
	d := f.mustReceive(t, queue, 1, long)[0]
	const delay = 2 * time.Second
	settled := time.Now()
	f.mustSettle(t, queue, kv.Settlement{Lease: d.Lease, Retry: true, Delay: delay})
	again := f.mustReceive(t, queue, 1, long)[0]
	if waited := time.Since(settled); waited < delay || again.ID != d.ID || again.Attempts != 2 {
		t.Errorf("got %+v after %v, want the message again after %v", again, waited, delay)
	}
	f.mustAck(t, queue, []kv.Delivery{again})
	f.wantNone(t, queue, 0)
	if _, err := f.Settle(t.Context(), queue, []kv.Settlement{{Lease: again.Lease, Retry: true, Delay: kv.MaxDelay + 1}}); err == nil {
		t.Error("a delay was taken that is too long")
	}
}

func testUnseen(t *testing.T, f *fixture) {
	f.mustSend(t, queue, text("a"))
	d := f.mustReceive(t, queue, 1, long)[0]
	for _, delay := range []time.Duration{0, 0, time.Second, 0} {
		f.mustSettle(t, queue, kv.Settlement{Lease: d.Lease, Retry: true, Unseen: true, Delay: delay})
		again := f.mustReceive(t, queue, 1, long)[0]
		if again.ID != d.ID || again.Attempts != 1 || string(again.Body) != "a" {
			t.Fatalf("got %+v, want the first attempt", again)
		}
		d = again
	}
	f.mustSettle(t, queue, kv.Settlement{Lease: d.Lease, Retry: true})
	if again := f.mustReceive(t, queue, 1, long)[0]; again.ID != d.ID || again.Attempts != 2 {
		t.Errorf("got %+v, want the second attempt", again)
	}
}

func testLeaseEnds(t *testing.T, f *fixture) {
	id := f.mustSend(t, queue, text("a"))[0]
	const lease = time.Second
	began := time.Now()
	first := f.mustReceive(t, queue, 1, lease)[0]
	second := f.mustReceive(t, queue, 1, long)[0]
	if waited := time.Since(began); waited < lease {
		t.Errorf("the message came again after %v, which is before its lease was over", waited)
	}
	if second.ID != id || second.Attempts != 2 || second.Lease == first.Lease {
		t.Errorf("got %+v after %+v", second, first)
	}
	for _, retry := range []bool{false, true} {
		stale, err := f.Settle(t.Context(), queue, []kv.Settlement{{Lease: first.Lease, Retry: retry}})
		if err != nil || len(stale) != 1 || stale[0] != first.Lease {
			t.Errorf("Settle with a lease that is over: %v, %v", stale, err)
		}
	}
	if s := f.mustStats(t, queue); s.Messages != 1 || s.Leased != 1 {
		t.Errorf("got %+v, want the message on lease", s)
	}
	f.mustAck(t, queue, []kv.Delivery{second})
	f.wantNone(t, queue, 2*time.Second)
}

func testStale(t *testing.T, f *fixture) {
	f.mustSend(t, queue, text("a"))
	d := f.mustReceive(t, queue, 1, long)[0]
	for _, lease := range []string{"", "x", "0-0", d.Lease + "9", "-1", "zzzzzzzzzzzzzzzz--1", "$JS.ACK.x"} {
		stale, err := f.Settle(t.Context(), queue, []kv.Settlement{{Lease: lease}})
		if err != nil || len(stale) != 1 || stale[0] != lease {
			t.Errorf("Settle with %q: %v, %v; want it as stale", lease, stale, err)
		}
	}
	if stale, err := f.Settle(t.Context(), another, []kv.Settlement{{Lease: d.Lease}}); err != nil || len(stale) != 1 {
		t.Errorf("Settle with the lease of another queue: %v, %v", stale, err)
	}
	stale, err := f.Settle(t.Context(), queue, []kv.Settlement{{Lease: "x"}, {Lease: d.Lease}, {Lease: "y"}})
	if err != nil || len(stale) != 2 || stale[0] != "x" || stale[1] != "y" {
		t.Errorf("Settle with some that are stale: %v, %v", stale, err)
	}
	if s := f.mustStats(t, queue); s.Messages != 0 {
		t.Errorf("got %+v, want that the good one was settled", s)
	}
}

// What is on lease goes to nobody else, and a batch is settled in parts.
func testLeased(t *testing.T, f *fixture) {
	var list []kv.Message
	for i := range 20 {
		list = append(list, text(fmt.Sprint(i)))
	}
	f.mustSend(t, queue, list...)
	a, b := f.mustReceive(t, queue, 10, long), f.mustReceive(t, queue, 10, long)
	if all := bodies(append(append([]kv.Delivery{}, a...), b...)); len(all) != 20 {
		t.Errorf("got %v, want each once", all)
	}
	f.mustAck(t, queue, a[:3])
	f.mustSettle(t, queue, kv.Settlement{Lease: a[3].Lease, Retry: true})
	if d := f.mustReceive(t, queue, 1, long)[0]; d.ID != a[3].ID {
		t.Errorf("got %s, want the one that was given back", d.Body)
	}
	if s := f.mustStats(t, queue); s.Messages != 17 || s.Leased != 17 {
		t.Errorf("got %+v, want 17 messages on lease", s)
	}
}
