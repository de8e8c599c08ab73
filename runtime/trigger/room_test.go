package trigger_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
)

const manyQueues = 20

// newManyMill has many queues of one account.
func newManyMill(t *testing.T) *mill {
	m := newMill(t, deploy.ConsumerSettings{BatchTimeout: number(0)}, "")
	one := m.all["q"]
	delete(m.all, "q")
	for i := range manyQueues {
		q := one
		q.ID, q.Name = fmt.Sprint("q", i), fmt.Sprint("jobs", i)
		m.all[q.ID] = q
	}
	return m
}

// sendAll puts a message into each queue.
func (m *mill) sendAll(text string) {
	m.t.Helper()
	for i := range manyQueues {
		if _, err := m.queues.Send(m.t.Context(), kv.Queue{Account: "local", ID: fmt.Sprint("q", i)}, []kv.Message{{ContentType: kv.ContentText, Body: []byte(text)}}, kv.SendOptions{}); err != nil {
			m.t.Fatal(err)
		}
	}
}

// leased is how many messages of all queues are on lease, so in memory.
func (m *mill) leased() (n int64) {
	m.t.Helper()
	synctest.Wait()
	for i := range manyQueues {
		s, err := m.queues.Stats(m.t.Context(), kv.Queue{Account: "local", ID: fmt.Sprint("q", i)})
		if err != nil {
			m.t.Fatal(err)
		}
		n += s.Leased
	}
	return n
}

// However many queues of an account have messages, few batches are in memory while the
// Functions are slow, and each gets its turn.
func TestConsumersRoom(t *testing.T) {
	for name, waiting := range map[string]bool{"messages wait when the node begins": true, "messages come to readers that wait": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManyMill(t)
				m.handle = func(context.Context, *host.QueueBatch) (trigger.Ran, error) {
					time.Sleep(10 * time.Second)
					return trigger.Ran{}, nil
				}
				if waiting {
					m.sendAll("a")
				}
				c := trigger.NewConsumers(trigger.ConsumersConfig{Registry: m, Queues: m.queues, Run: m.run, Places: trigger.NewPlaces(4),
					Metrics: &m.metrics, Logger: slog.New(slog.NewTextHandler(m.log, nil))})
				defer m.end(c)
				if !waiting {
					time.Sleep(time.Minute)
					m.sendAll("a")
				}
				for range 5 {
					if n := m.leased(); n != 2 {
						t.Errorf("%d messages are on lease, want the one of the account's place and one that waits for it", n)
					}
					time.Sleep(10 * time.Second)
				}
				time.Sleep(time.Hour)
				m.wantMost(1)
				m.wantBatches(slices.Repeat([]string{"worker a.1"}, manyQueues)...)
				m.sendAll("b")
				time.Sleep(time.Hour)
				m.wantBatches(slices.Repeat([]string{"worker b.1"}, manyQueues)...)
			})
		})
	}
}
