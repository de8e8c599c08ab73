package storequeue_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/kv/storequeue"
)

// Messages are dropped that were kept long enough: when they would be delivered, and
// where nobody asks for them as well.
func TestRetention(t *testing.T) {
	for name, asks := range map[string]bool{"asked for": true, "not asked for": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := mustOpen(t, storequeue.Config{Store: memkv.New(memkv.Config{})})
				defer q.Close()
				list := []kv.Message{{ContentType: kv.ContentText, Body: []byte("old")}}
				if _, err := q.Send(t.Context(), queue, list, kv.SendOptions{Retention: time.Minute}); err != nil {
					t.Fatal(err)
				}
				if _, err := q.Send(t.Context(), queue, list, kv.SendOptions{}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute)
				if asks {
					got, err := q.Receive(t.Context(), queue, kv.ReceiveOptions{Max: 10, Lease: time.Hour})
					if err != nil || len(got) != 1 {
						t.Errorf("got %d messages, %v; want the one that is kept longer", len(got), err)
					}
				} else {
					time.Sleep(2 * time.Hour)
				}
				if s, err := q.Stats(t.Context(), queue); err != nil || s.Messages != 1 || s.Bytes != 3 {
					t.Errorf("there is %+v, %v; want one message", s, err)
				}
			})
		})
	}
}
