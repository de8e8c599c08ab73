package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/storequeue"
)

// MessageRecords is where the messages of queues are in the store of a node without a
// cluster, and in every backup; see package storequeue.
const MessageRecords = "queues/"

// withMessages is a View with the messages of queues that are not in its Store. They are
// those that there are while they are written.
type withMessages struct {
	kv.View
	registry *Registry
	queues   kv.QueueCopier
}

// Entries implements kv.View.
func (v withMessages) Entries(ctx context.Context, do func(kv.Entry) error) error {
	written := false
	write := func() (err error) {
		if !written {
			err = v.messages(ctx, do)
		}
		written = true
		return err
	}
	err := v.View.Entries(ctx, func(e kv.Entry) error {
		if e.Key > MessageRecords {
			if err := write(); err != nil {
				return err
			}
		}
		return do(e)
	})
	if err != nil {
		return err
	}
	return write()
}

// messages gives those of all queues that exist, in the order of their keys.
func (v withMessages) messages(ctx context.Context, do func(kv.Entry) error) error {
	var list []Queue
	for _, q := range v.registry.current.Load().queues {
		if !q.Deleted {
			list = append(list, q)
		}
	}
	slices.SortFunc(list, func(a, b Queue) int { return cmp.Compare(a.Account+"/"+a.ID, b.Account+"/"+b.ID) })
	for _, q := range list {
		w := storequeue.NewWriter(MessageRecords, q.Key(), do)
		if err := v.queues.CopyOut(ctx, q.Key(), w.Write); err != nil {
			return fmt.Errorf("back up queue %s of account %s: %w", q.Name, q.Account, err)
		}
	}
	return nil
}

// messagesTogether is how many messages, and how many bytes of them, are brought in at
// once.
const messagesTogether, bytesTogether = 500, 4 << 20

// messagesIn brings the messages of a backup into Queues.
type messagesIn struct {
	registry *Registry
	queues   kv.QueueCopier // nil: they stay behind
	reader   *storequeue.Reader
	queue    kv.Queue
	list     []kv.StoredMessage
	bytes    int
}

func (r *Registry) newMessagesIn() *messagesIn {
	queues, _ := r.cfg.Queues.(kv.QueueCopier)
	return &messagesIn{registry: r, queues: queues, reader: storequeue.NewReader(MessageRecords)}
}

// take takes one entry of a backup.
func (in *messagesIn) take(ctx context.Context, e kv.Entry) error {
	if in.queues == nil || !strings.HasPrefix(e.Key, MessageRecords) {
		return nil
	}
	q, m, ok, err := in.reader.Read(e)
	if err != nil { // as where a node starts on it
		in.registry.cfg.Logger.Error("a message of a queue is damaged in the backup, and left out", "key", e.Key, "err", err)
		return nil
	}
	if !ok {
		return nil
	}
	if q != in.queue {
		if err := in.begin(ctx, q); err != nil {
			return err
		}
	}
	in.list, in.bytes = append(in.list, m), in.bytes+len(m.Body)
	if len(in.list) < messagesTogether && in.bytes < bytesTogether {
		return nil
	}
	return in.flush(ctx)
}

// begin removes what a restore has left that was cut off.
func (in *messagesIn) begin(ctx context.Context, q kv.Queue) error {
	if err := in.flush(ctx); err != nil {
		return err
	}
	in.queue = q
	return in.again(ctx, func() error { return in.registry.cfg.Queues.Delete(ctx, q) })
}

// triesAgain is how often a part of a restore is tried again that servers of a cluster do
// not answer.
const triesAgain = 5

// again does what may be done twice: a queue knows the messages that it has got.
func (in *messagesIn) again(ctx context.Context, do func() error) error {
	err := do()
	for range triesAgain {
		if !errors.Is(err, kv.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		in.registry.pause(ctx, retryInterval)
		err = do()
	}
	return err
}

// flush brings in what was taken.
func (in *messagesIn) flush(ctx context.Context) error {
	if len(in.list) == 0 {
		return nil
	}
	err := in.again(ctx, func() error { return in.queues.CopyIn(ctx, in.queue, in.list) })
	in.list, in.bytes = nil, 0
	if err != nil {
		return fmt.Errorf("restore queue %s of account %s: %w", in.queue.ID, in.queue.Account, err)
	}
	return nil
}
