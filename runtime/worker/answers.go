//go:build linux

package worker

import (
	"context"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"
	"github.com/mayfly-run/mayfly/host"
)

// maxAsked bounds the questions that a worker asks at the same time, beside those
// about outbound requests.
const maxAsked = 32

// ask answers a question, at once or beside others, for which it holds so much
// memory. The error ends the worker.
func (s *session) ask(data []byte, held int64) error {
	var q question
	if err := cbor.Unmarshal(data, &q); err != nil {
		return err
	}
	if q.Op >= opRead && q.Op <= opGetEach {
		work, err := s.work(&q)
		if err == nil {
			return s.start(&q, held, work)
		}
		s.give(held)
		return s.reply(&q, reply{}, err)
	}
	defer s.give(held)
	switch q.Op {
	case opLog:
		s.c.Log(min(q.Level, host.LogError), q.Data)
		return nil
	case opClose, opFinish:
		s.close(&q)
		return nil
	case opTake:
		return s.reply(&q, reply{}, s.grant(q.N))
	case opLimit:
		r, err := s.limit(&q)
		return s.reply(&q, r, err)
	case opDetach:
		return s.reply(&q, reply{}, s.detach(&q))
	case opStream:
		return s.reply(&q, reply{}, s.stream(&q))
	}
	return fmt.Errorf("question %d is not known", q.Op)
}

// work is what takes time. It runs beside the session.
type work struct {
	do    func(ctx context.Context) (reply, error)
	after func() // goes on after the reply; nil for none
}

func simply(do func(ctx context.Context) (reply, error)) (work, error) { return work{do: do}, nil }

// work checks a question as if a guest had asked it.
func (s *session) work(q *question) (work, error) {
	switch q.Op {
	case opRead:
		return s.read(q)
	case opWrite:
		return s.write(q)
	case opFetch:
		return s.fetch(q)
	case opCacheMatch, opCachePut, opCacheDelete:
		return s.cache(q)
	case opSend, opBacklog:
		work, err := s.queue(q)
		return s.counted("queue", operations[q.Op], work, err)
	}
	return s.store(q)
}

// start does work beside the session, and replies.
func (s *session) start(q *question, held int64, w work) error {
	ctx, cancel := context.WithCancel(s.c.Context())
	if err := s.remember(q.ID, cancel); err != nil {
		cancel()
		return err
	}
	s.c.Start(func(context.Context) {
		defer s.give(held)
		defer s.forget(q.ID)
		r, err := w.do(ctx)
		_ = s.reply(q, r, err) // a worker that is gone is found out by the session
		if w.after != nil {
			w.after()
		}
	})
	return nil
}

func (s *session) remember(id uint64, cancel context.CancelFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		s.asked = map[uint64]context.CancelFunc{}
	}
	if _, twice := s.asked[id]; twice || id < firstAsk {
		return fmt.Errorf("question %d twice", id)
	}
	if len(s.asked) >= maxAsked+3*s.c.Limits.OpenConnections {
		return fmt.Errorf("%d questions at the same time", len(s.asked))
	}
	s.asked[id] = cancel
	return nil
}

func (s *session) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.asked[id]; cancel != nil {
		cancel()
		delete(s.asked, id)
	}
}

// drop cancels what nobody waits for any more.
func (s *session) drop(data []byte) error {
	var d drop
	if err := cbor.Unmarshal(data, &d); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.asked[d.ID]; cancel != nil {
		cancel()
	}
	return nil
}

// reply answers a question. Faults of the node go to its log, not to the worker.
func (s *session) reply(q *question, r reply, err error) error {
	r.ID = q.ID
	if err == io.EOF {
		r.EOF, err = true, nil
	}
	if err != nil {
		public := host.PublicError(err)
		r.Code, r.Msg = public.Code, text(public.Msg)
		if public.Code == host.CodeInternal {
			s.c.Services.Logger.Error("host function", "request", s.c.ID, "err", err)
		}
	}
	return s.send(kindReply, &r)
}

// grant takes memory for the guest, beside what its image has.
func (s *session) grant(n int64) error {
	if n <= 0 || !s.take(n) {
		return host.Errorf(host.CodeLimit, "the node has no memory left")
	}
	return nil
}

func (s *session) limit(q *question) (reply, error) {
	l, ok := s.c.Bindings.RateLimits[string(q.Name)]
	if !ok || len(q.Key) > host.MaxRateKey {
		return reply{}, host.Errorf(host.CodeInvalid, "no rate limit %.64q, or a key of %d bytes", q.Name, len(q.Key))
	}
	within, err := l.Limit([]byte(q.Key))
	if err != nil || !within {
		return reply{}, err
	}
	return reply{N: 1}, nil
}

// counted counts an operation of KV or a queue, and tells who is interested in the
// Invocation.
func (s *session) counted(kind, name string, w work, err error) (work, error) {
	if err != nil {
		return w, err
	}
	if err := s.c.MayOperate(); err != nil {
		return w, err
	}
	s.c.Usage.KVOperations++
	do := w.do
	w.do = func(ctx context.Context) (reply, error) {
		ended := s.c.Watch(host.Operation{Kind: kind, Name: name})
		r, err := do(ctx)
		ended(0, err)
		return r, err
	}
	return w, nil
}

// respond takes an answer and checks it as if a guest had given it.
func (s *session) respond(a *answer) error {
	if err := s.checkAnswer(a.Status, a.Headers); err != nil {
		return err
	}
	if int64(len(a.Body)) > s.c.Limits.Response {
		return host.Errorf(host.CodeTooLarge, "a response of %d bytes exceeds the limit of %d", len(a.Body), s.c.Limits.Response)
	}
	if err := s.c.Responder.Respond(a.Status, a.Headers, a.Body); err != nil {
		return err
	}
	s.c.Responded = true
	return nil
}

func (s *session) checkAnswer(status int, headers host.Headers) error {
	if s.c.Responded {
		return host.Errorf(host.CodeState, "this request has been answered already")
	}
	if status < 200 || status > 599 {
		return host.Errorf(host.CodeInvalid, "status %d is not between 200 and 599", status)
	}
	if err := headers.Check(); err != nil {
		return err
	}
	return nil
}

// detach sends an answer and grants the time after it, once.
func (s *session) detach(q *question) error {
	if s.c.Detached {
		return host.Errorf(host.CodeState, "the time after the answer is granted once")
	}
	if q.Status != 0 || !s.c.Responded { // else it is a stream
		if err := s.respond(&answer{Status: q.Status, Headers: q.Headers, Body: q.Data}); err != nil {
			return err
		}
	}
	if err := s.c.Responder.Detach(); err != nil {
		return err
	}
	s.c.Detached = true
	s.c.Extend(s.c.Limits.AfterResponse)
	return s.extend()
}

func (s *session) stream(q *question) error {
	if err := s.checkAnswer(q.Status, q.Headers); err != nil {
		return err
	}
	w, err := s.c.Responder.Stream(q.Status, q.Headers)
	if err != nil {
		return err
	}
	s.c.Responded = true
	s.open(bodyResponse, &body{w: w})
	return nil
}
