package deploy_test

import (
	"slices"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/kv/storequeue"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

func mustQueues(t *testing.T) kv.Queues {
	t.Helper()
	store := memkv.New(memkv.Config{})
	t.Cleanup(func() { store.Close() })
	q, err := storequeue.Open(t.Context(), storequeue.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func mustSend(t *testing.T, to kv.Queues, q kv.Queue) {
	t.Helper()
	if _, err := to.Send(t.Context(), q, []kv.Message{{ContentType: kv.ContentText}}, kv.SendOptions{}); err != nil {
		t.Fatal(err)
	}
}

func listed(t *testing.T, from kv.Queues, q kv.Queue) bool {
	t.Helper()
	list, err := from.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(list, q)
}

var oneMessage = []host.QueueSend{{ContentType: kv.ContentText, Delay: host.NoDelay}}

// A queue that is gone takes no messages, and what a node has sent that had not heard of
// it is removed; queues that are there keep theirs.
func TestStrayMessages(t *testing.T) {
	for name, open := range map[string]func(t *testing.T, cfg deploy.Config) []*deploy.Registry{
		"one node": func(t *testing.T, cfg deploy.Config) []*deploy.Registry {
			r, err := newNode(t).tryOpen(t, cfg)
			if err != nil {
				t.Fatal(err)
			}
			return []*deploy.Registry{r}
		},
		"cluster": func(t *testing.T, cfg deploy.Config) []*deploy.Registry { return newNodes(t, 2, cfg).all },
	} {
		t.Run(name, func(t *testing.T) {
			all := mustQueues(t)
			nodes := open(t, deploy.Config{Queues: all})
			r := nodes[0]
			here, err := r.CreateQueue(t.Context(), deploy.Local, "here", deploy.QueueSettings{})
			if err != nil {
				t.Fatal(err)
			}
			gone, err := r.CreateQueue(t.Context(), deploy.Local, "gone", deploy.QueueSettings{})
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range []deploy.Queue{here, gone} {
				if _, err := r.Send(t.Context(), q, oneMessage); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.DeleteQueue(t.Context(), deploy.Local, gone.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Send(t.Context(), gone, oneMessage); host.CodeOf(err) != host.CodeNotFound {
				t.Errorf("got %v, want that there is no such queue", err)
			}
			eventually(t, "the queue is empty", func() bool { return !listed(t, all, gone.Key()) })
			mustSend(t, all, gone.Key()) // as a node that is behind
			foreign := kv.Queue{Account: "nobody", ID: here.ID}
			mustSend(t, all, foreign)
			eventually(t, "what was sent later is removed", func() bool {
				for _, n := range nodes { // the one with the duties does it
					if err := n.RemoveStrays(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				return !listed(t, all, gone.Key()) && !listed(t, all, foreign)
			})
			if s, err := all.Stats(t.Context(), here.Key()); err != nil || s.Messages != 1 {
				t.Errorf("got %+v, %v, want the message of the queue that is there", s, err)
			}
		})
	}
}

// While nobody asks, the node with the duties removes such messages by itself.
func TestStrayMessagesByThemselves(t *testing.T) {
	all := mustQueues(t)
	newNodes(t, 2, deploy.Config{Queues: all, Cluster: hasty().Cluster})
	stray := kv.Queue{Account: deploy.Local, ID: "0123456789abcdef0123456789abcdef"}
	mustSend(t, all, stray)
	eventually(t, "a message of no queue is removed", func() bool { return !listed(t, all, stray) })
}

// A dead letter queue that was deleted is made again when it is needed.
func TestDeadLetterQueueAgain(t *testing.T) {
	r, err := newNode(t).tryOpen(t, deploy.Config{Queues: mustQueues(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.DeadLetter(t.Context(), deploy.Local, "dead", kv.Delivery{ContentType: kv.ContentText, Body: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	dead, err := r.QueueNamed(deploy.Local, "dead")
	if err != nil {
		t.Fatal(err)
	}
	if backlog, err := r.Backlog(t.Context(), dead); err != nil || backlog.Messages != 1 {
		t.Errorf("got %+v, %v, want the message", backlog, err)
	}
	if err := r.DeadLetter(t.Context(), "nobody", "dead", kv.Delivery{ContentType: kv.ContentText}); host.CodeOf(err) != host.CodeNotFound {
		t.Errorf("an account that is gone: got %v", err)
	}
}
