package telemetry

import (
	"encoding/json"
	"sync/atomic"
	"time"
)

// source is what a node sent for a tail.
type source struct {
	session         string
	events, skipped int64
}

const (
	maxSources = 10_000    // nodes
	maxMissing = 1_000_000 // Events; beyond that a number is not believed
)

// lead is a tail's beginning at the reader's node: it has others send.
type lead struct {
	o        *Observer
	t        *Tail
	sources  map[string]source // by node; only for received
	received atomic.Int64      // Events in this second
	rate     int64             // Events in a second that each node may send
}

// lead has other nodes send what a tail wants, until it ends.
func (o *Observer) lead(t *Tail) {
	l := &lead{o: o, t: t, sources: map[string]source{}, rate: tailPerSecond}
	stop, err := o.peers.bus.Subscribe(eventSubject+t.ID, l.message)
	if err != nil {
		o.cfg.Logger.Warn("a tail shows this node alone", "account", t.Account, "function", t.Function, "err", err)
		return
	}
	defer stop()
	defer l.announce(true)
	l.announce(false)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for n := 1; ; n++ {
		select {
		case <-second.C:
			if l.adapt() || n%leaseEvery == 0 {
				l.announce(false)
			}
		case <-t.done:
			return
		}
	}
}

// announce is said again before long, so it may be lost.
func (l *lead) announce(ended bool) {
	l.o.peers.publish(leaseSubject, &tailLease{ID: l.t.ID, Node: l.o.peers.node, Account: l.t.Account, Function: l.t.Function, //nolint:errcheck // see above
		Expires: l.t.Expires, Filter: l.t.Filter.announced(), PerSecond: l.rate, Ended: ended})
}

// adapt has many nodes send less each where they send more than can be shown, and
// reports whether they are to hear of it at once.
func (l *lead) adapt() bool {
	got := l.received.Swap(0)
	switch {
	case got > 2*tailPerSecond && l.rate > 1:
		l.rate = max(1, l.rate*tailPerSecond/got)
		return true
	case 2*got < tailPerSecond:
		l.rate = min(tailPerSecond, 2*l.rate)
	}
	return false
}

// message is told what another node sent.
func (l *lead) message(data []byte) {
	var m tailMessage
	if decode(data, &m) != nil || m.Account != l.t.Account || m.Function != l.t.Function || !l.account(&m) || m.Event == nil {
		return
	}
	l.received.Add(1)
	if !l.t.room() {
		return
	}
	if e, ok := eventOf(&m); ok {
		l.t.offer(e)
	}
}

// account counts what did not come. It is false for a message that came before.
func (l *lead) account(m *tailMessage) bool {
	s, known := l.sources[m.Node]
	if s.session != m.Session {
		s = source{session: m.Session}
	}
	missing := m.Events - s.events
	if m.Event != nil {
		missing--
	}
	if missing < 0 || m.Skipped < s.skipped || !known && len(l.sources) >= maxSources {
		return false
	}
	l.t.lost.Add(min(missing, maxMissing))
	l.t.skipped.Add(min(m.Skipped-s.skipped, maxMissing))
	l.sources[m.Node] = source{m.Session, m.Events, m.Skipped}
	return true
}

// eventOf is what another node says has happened, if it can have.
func eventOf(m *tailMessage) (*Event, bool) {
	var in struct {
		Event
		What json.RawMessage `json:"event"`
	}
	if json.Unmarshal(m.Event, &in) != nil || in.ScriptName != m.Function || len(in.What) == 0 || in.What[0] != '{' {
		return nil, false
	}
	e := &in.Event
	e.Event, e.Node = in.What, m.Node
	if e.Exceptions == nil {
		e.Exceptions = []Exception{}
	}
	if e.Logs == nil {
		e.Logs = []LogEntry{}
	}
	const each = 128
	e.size = eventOverhead + len(m.Event) + each*(len(e.Logs)+len(e.Exceptions))
	return e, true
}

// tailEnd has the node at which a tail is read end it.
type tailEnd struct {
	ID       string `json:"id"`
	Account  string `json:"account"`
	Function string `json:"function"`
}

func (e *tailEnd) valid() bool { return randomID.MatchString(e.ID) }

// endAsked is told that a tail is to end which may be read here.
func (o *Observer) endAsked(data []byte) {
	var e tailEnd
	if decode(data, &e) != nil {
		return
	}
	for _, t := range o.tails.of(functionKey{e.Account, e.Function}) {
		if t.ID == e.ID {
			o.endTail(t, ErrTailClosed)
		}
	}
}
