package natskv

import (
	"context"
	"sync"
	"time"
)

// state says whether the copy is current. The zero value is not.
type state struct {
	mu      sync.Mutex // guards the fields below
	status  Status     // without what is known elsewhere
	err     error
	changed chan struct{} // closed when something changes
}

func (s *state) set(connected bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.status.Connected != connected || s.status.Since.IsZero() {
		s.status.Since = now
	}
	if s.status.Connected || connected {
		s.status.Current = now
	}
	s.status.Connected, s.err, s.status.Problem = connected, err, ""
	if err != nil {
		s.status.Problem = err.Error()
	}
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = make(chan struct{})
}

func (s *state) get() (Status, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, s.changed
}

func (s *state) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// progress is the revision that the copy has come to.
type progress struct {
	mu       sync.Mutex // guards the fields below
	revision uint64
	moved    chan struct{} // closed when it moves, if someone waits
}

func (p *progress) get() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.revision
}

func (p *progress) set(revision uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision = revision
	if p.moved != nil {
		close(p.moved)
		p.moved = nil
	}
}

// wait returns once the copy has come to revision, or with ctx.Err().
func (p *progress) wait(ctx context.Context, revision uint64) error {
	for {
		p.mu.Lock()
		if p.revision >= revision {
			p.mu.Unlock()
			return nil
		}
		if p.moved == nil {
			p.moved = make(chan struct{})
		}
		moved := p.moved
		p.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// current is whether status.Connected was set.
func (s *state) current() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status.Connected
}
