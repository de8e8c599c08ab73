package natsqueue

import (
	"context"

	"github.com/mayfly-run/mayfly/kv"
)

// opening is a search for the stream of a queue that is under way. All who need it at the
// same time wait for it: servers of a cluster that are asked to make a stream by many at
// once may leave some without an answer.
type opening struct {
	over    chan struct{} // closed at the end; what follows is read after that
	stream  *stream
	err     error
	givenUp bool // by who searched: that says nothing to others
}

// open finds the stream of a queue, or makes it.
func (s *Queues) open(ctx context.Context, q kv.Queue) (*stream, error) {
	kv.CheckQueue(q)
	for {
		known, o, mine := s.opening(q)
		if known != nil {
			return known, nil
		}
		if mine {
			o.stream, o.err = s.find(ctx, q)
			o.givenUp = ctx.Err() != nil
			s.opened(q, o)
			return o.stream, o.err
		}
		select {
		case <-o.over:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if !o.givenUp {
			return o.stream, o.err
		}
	}
}

// opening is what is known of the stream of a queue, or who searches for it: the caller
// if nobody does.
func (s *Queues) opening(q kv.Queue) (known *stream, o *opening, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known = s.streams[q]; known != nil {
		return known, nil, false
	}
	if o = s.openings[q]; o != nil {
		return nil, o, false
	}
	o = &opening{over: make(chan struct{})}
	s.openings[q] = o
	return nil, o, true
}

func (s *Queues) opened(q kv.Queue, o *opening) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.err == nil {
		s.streams[q] = o.stream
	}
	delete(s.openings, q)
	close(o.over)
}
