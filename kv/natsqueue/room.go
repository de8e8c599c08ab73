package natsqueue

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
)

// overhead is what a message takes beside its body, about.
const overhead = 400

// usage is what waits in the queues of an account, as far as it is known.
type usage struct {
	mu     sync.Mutex // guards what follows, and is held while it is looked at
	looked time.Time
	queues map[string]int64 // bytes by stream
	total  int64
}

// usage finds that of an account.
func (s *Queues) usage(account string) *usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.accounts[account]
	if u == nil {
		u = &usage{}
		s.accounts[account] = u
	}
	return u
}

// look has the usage of an account looked at before the next Send.
func (s *Queues) look(account string) {
	u := s.usage(account)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.looked = time.Time{}
}

// room counts messages that are about to be sent, or says that there is no room. It
// refuses none without having looked.
func (s *Queues) room(ctx context.Context, q kv.Queue, list []kv.Message) error {
	more := int64(0)
	for _, m := range list {
		more += int64(len(m.Body)) + overhead
	}
	u := s.usage(q.Account)
	u.mu.Lock()
	defer u.mu.Unlock()
	name := s.streamName(q)
	fresh := false
	if time.Since(u.looked) > lookEvery {
		if err := s.count(ctx, q.Account, u); err != nil {
			return err
		}
		fresh = true
	}
	full := s.full(u, name, more)
	if full != nil && !fresh {
		if err := s.count(ctx, q.Account, u); err != nil {
			return err
		}
		full = s.full(u, name, more)
	}
	if full != nil {
		return full
	}
	u.queues[name] += more
	u.total += more
	return nil
}

func (s *Queues) full(u *usage, name string, more int64) error {
	if has := u.queues[name]; has+more > s.cfg.QueueBytes {
		return kv.Full("queue", has, s.cfg.QueueBytes)
	}
	if u.total+more > s.cfg.AccountBytes {
		return kv.Full("account", u.total, s.cfg.AccountBytes)
	}
	return nil
}

// count asks for the sizes of all queues of an account. It needs u.mu.
func (s *Queues) count(ctx context.Context, account string, u *usage) error {
	u.looked, u.total, u.queues = time.Now(), 0, map[string]int64{}
	all := s.js.ListStreams(ctx, jetstream.WithStreamListSubject(s.accountPrefix(account)+">"))
	for info := range all.Info() {
		u.queues[info.Config.Name] = int64(info.State.Bytes)
		u.total += int64(info.State.Bytes)
	}
	if err := all.Err(); err != nil {
		u.looked = time.Time{}
		return failure(ctx, "count messages", err)
	}
	return nil
}
