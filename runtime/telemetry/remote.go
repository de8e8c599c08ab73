package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// What tells of tails at other nodes.
const (
	leaseEvery  = 5 // seconds
	leaseFor    = 4 * leaseEvery
	remoteSpare = 2        // so many times what OpenTail allows is taken, for those that begin at once at several nodes
	eventBytes  = 10 << 10 // that an Event of a second may have on average; the rest is left out
)

// tailLease says that a tail is read at a node. It is repeated, so that a node which
// has ended without a word is forgotten.
type tailLease struct {
	ID        string          `json:"id"`
	Node      string          `json:"node"`
	Account   string          `json:"account"`
	Function  string          `json:"function"`
	Expires   time.Time       `json:"expires"`
	Filter    json.RawMessage `json:"filter"` // a Filter, without "self"
	PerSecond int64           `json:"per_second"`
	Ended     bool            `json:"ended,omitempty"`
}

func (l *tailLease) valid() bool {
	return randomID.MatchString(l.ID) && word.MatchString(l.Node) && l.Account != "" && l.Function != "" && l.PerSecond > 0
}

func (l *tailLease) key() functionKey { return functionKey{l.Account, l.Function} }

// announced is how a Filter is told to other nodes.
func (f Filter) announced() json.RawMessage {
	f.ClientIP = nil
	for _, a := range f.clients {
		f.ClientIP = append(f.ClientIP, a.String())
	}
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // strings and numbers
	}
	return text
}

// filter refuses what this node does not understand: it would show too much.
func (l *tailLease) filter() (f Filter, err error) {
	d := json.NewDecoder(bytes.NewReader(l.Filter))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, err
	}
	return f, f.check(netip.Addr{})
}

// tailMessage is what a node has for a tail of another one. The numbers count from the
// beginning of its session, so that the reader's node notices what did not come.
type tailMessage struct {
	Node     string          `json:"node"`
	Session  string          `json:"session"`
	Account  string          `json:"account"`
	Function string          `json:"function"`
	Events   int64           `json:"events"`  // this one too
	Skipped  int64           `json:"skipped"` // beyond what may be shown in a second
	Event    json.RawMessage `json:"event,omitempty"`
}

func (m *tailMessage) valid() bool {
	return word.MatchString(m.Node) && randomID.MatchString(m.Session) && m.Events >= 0 && m.Skipped >= 0 && m.Skipped <= math.MaxInt64/2
}

// remote is a tail that is read at another node.
type remote struct {
	*Tail
	node  string       // of the reader
	quiet atomic.Int32 // seconds since it was told of

	message tailMessage // the last one that was sent
	told    bool        // nothing changed since
	second  int64       // of bytes
	bytes   int64
}

// leased is told of a tail at another node.
func (o *Observer) leased(data []byte) {
	var l tailLease
	if decode(data, &l) != nil || l.Node == o.peers.node {
		return
	}
	p := o.peers
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.remote[l.ID]
	switch {
	case r == nil && !l.Ended && !p.closed:
		o.follow(&l)
	case r == nil || r.node != l.Node || r.Account != l.Account || r.Function != l.Function:
	case l.Ended:
		r.stop(ErrTailClosed)
	default:
		r.quiet.Store(0)
		r.perSecond.Store(min(l.PerSecond, tailPerSecond))
	}
}

// follow begins to send what a tail wants, if there is room for it. It needs peers.mu.
func (o *Observer) follow(l *tailLease) {
	p := o.peers
	same, ours := p.count(l.key())
	f, err := l.filter()
	if err != nil || same >= remoteSpare*tailsOfFunction || ours >= remoteSpare*tailsOfAccount || len(p.remote) >= remoteSpare*tailsOfNode {
		o.cfg.Logger.Debug("a tail of another node does not show what happens at this one", "node", l.Node, "account", l.Account, "function", l.Function, "err", err)
		return
	}
	r := &remote{node: l.Node, Tail: newTail(l.key(), f, l.Expires.Add(-tailLife)),
		message: tailMessage{Node: p.node, Session: randomHex(), Account: l.Account, Function: l.Function}, told: true}
	r.ID, r.away = l.ID, true
	r.perSecond.Store(min(l.PerSecond, tailPerSecond))
	p.remote[l.ID] = r
	p.sending.Go(func() { o.send(r) })
}

// count is how many tails of a Function, and of its account, are read elsewhere. It
// needs peers.mu.
func (p *peers) count(key functionKey) (same, ours int) {
	for _, r := range p.remote {
		if r.Account == key.account {
			ours++
			if r.Function == key.function {
				same++
			}
		}
	}
	return same, ours
}

// tails counts those that are read elsewhere: of a Function, of its account, and all.
func (p *peers) tails(key functionKey) (same, ours, all int) {
	if p == nil {
		return 0, 0, 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	same, ours = p.count(key)
	return same, ours, len(p.remote)
}

// of are the tails of a Function, or of an account, that are read elsewhere.
func (p *peers) of(key functionKey) (list []*Tail) {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.remote {
		if key.covers(functionKey{r.Account, r.Function}) {
			list = append(list, r.Tail)
		}
	}
	return list
}

// send sends what a tail wants until it ends.
func (o *Observer) send(r *remote) {
	f := o.function(functionKey{r.Account, r.Function})
	o.tails.mu.Lock()
	f.watch(r.Tail)
	o.tails.mu.Unlock()
	defer o.forgetRemote(f, r)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case e := <-r.queue:
			r.waiting.Add(-int64(e.size))
			r.event(o.peers, e)
		case <-second.C:
			r.rest(o.peers)
			if r.quiet.Add(1) > leaseFor {
				return
			}
		case <-r.done:
			r.finish(o.peers)
			return
		}
	}
}

// finish sends what is left, if it is this node that ends, and not the reader.
func (r *remote) finish(p *peers) {
	for r.reason == ErrTailDrained {
		select {
		case e := <-r.queue:
			r.event(p, e)
		default:
			r.rest(p)
			return
		}
	}
}

func (o *Observer) forgetRemote(f *function, r *remote) {
	o.tails.mu.Lock()
	f.unwatch(r.Tail)
	o.tails.mu.Unlock()
	o.peers.mu.Lock()
	defer o.peers.mu.Unlock()
	delete(o.peers.remote, r.ID)
}

// event sends one, unless there was too much in this second.
func (r *remote) event(p *peers, e *Event) {
	text := e.short()
	if now := time.Now().Unix(); now != r.second {
		r.second, r.bytes = now, 0
	}
	if r.bytes > 0 && r.bytes+int64(len(text)) > r.perSecond.Load()*eventBytes {
		r.skipped.Add(1)
		return
	}
	r.bytes += int64(len(text))
	r.message.Events++
	r.message.Event = text
	r.publish(p)
}

// rest sends what changed without an Event that went out.
func (r *remote) rest(p *peers) {
	if r.told && r.skipped.Load() == r.message.Skipped && r.lost.Load() == 0 {
		return
	}
	r.message.Event = nil
	r.publish(p)
}

func (r *remote) publish(p *peers) {
	r.message.Events += r.lost.Swap(0)
	r.message.Skipped = r.skipped.Load()
	r.told = p.publish(eventSubject+r.ID, &r.message) == nil
	r.message.Event = nil
}

// longEvent is what an Event may have in JSON to be sent as it is, in bytes.
const longEvent = maxBusMessage - 4<<10

// short is the Event in JSON, without its log where that is too long.
func (e *Event) short() json.RawMessage {
	text := e.json()
	if len(text) <= longEvent {
		return text
	}
	cut := *e
	cut.Logs = []LogEntry{{levelNames[host.LogWarn], []string{fmt.Sprintf("%d lines of log are left out: they are too long to be sent to the node of this tail", len(e.Logs))}, e.EventTimestamp}}
	return cut.json()
}
