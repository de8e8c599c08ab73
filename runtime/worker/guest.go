//go:build linux

package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime"
)

// guest is the worker's side of one connection. It runs one Invocation after the
// other; what their Calls use are stubs that ask the node.
type guest struct {
	*channel
	snapshot *runtime.Snapshot
	services host.Services
	bindings *host.Bindings
	limits   host.Limits
	call     host.Call
	body     *answer // set, and not sent yet
	grant    grant
	uploads  sync.WaitGroup
	begun    chan invoke // to the goroutine that runs guests
	gone     atomic.Bool // the client

	mu      sync.Mutex // guards what follows
	running bool       // call may be canceled
	over    error      // why it is to be, once it runs
	next    uint64
	waiting map[uint64]chan reply
	ended   bool // the connection
}

func newGuest(file *os.File, s *runtime.Snapshot) *guest {
	g := &guest{channel: newChannel(file, 1<<31-1), snapshot: s, next: firstAsk, waiting: map[uint64]chan reply{}, begun: make(chan invoke)}
	g.services = host.Services{Fetcher: fetcher{guest: g}, Log: log{g}, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Random: rand.Reader}
	g.grant.guest = g
	return g
}

// serve reads what the node says until the connection ends.
func (g *guest) serve() {
	var runs sync.WaitGroup
	runs.Go(g.run)
	for g.hear() == nil {
	}
	g.hangUp()
	close(g.begun)
	runs.Wait()
	g.file.Close()
}

func (g *guest) hear() error {
	k, n, err := g.header()
	if err != nil {
		return err
	}
	data, err := g.payload(n)
	if err != nil {
		return err
	}
	switch k {
	case kindInvoke:
		var m invoke
		if err := cbor.Unmarshal(data, &m); err != nil {
			return err
		}
		g.gone.Store(false)
		g.begun <- m
	case kindReply:
		return g.deliver(data)
	case kindCancel:
		return g.cancel(data)
	case kindInitialize:
		var m initialize
		if err := cbor.Unmarshal(data, &m); err != nil {
			return err
		}
		g.initialize(&m) // which asks nothing
	}
	return nil
}

func (g *guest) deliver(data []byte) error {
	var r reply
	if err := cbor.Unmarshal(data, &r); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if w := g.waiting[r.ID]; w != nil {
		delete(g.waiting, r.ID)
		w <- r
	}
	return nil
}

func (g *guest) cancel(data []byte) error {
	var m cancel
	if err := cbor.Unmarshal(data, &m); err != nil {
		return err
	}
	g.gone.Store(m.Gone)
	switch {
	case m.Over && m.Gone:
		g.stop(host.ErrClientGone)
	case m.Over:
		g.stop(context.Canceled)
	}
	return nil
}

// stop cancels the Invocation that runs, or is about to.
func (g *guest) stop(cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over = cause; g.running {
		g.call.Cancel(cause)
	}
}

// hangUp ends everything that waits for the node.
func (g *guest) hangUp() {
	g.stop(context.Canceled)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	for id, w := range g.waiting {
		delete(g.waiting, id)
		w <- reply{Code: host.CodeInternal, Msg: "the node has hung up"}
	}
}

// setRunning says that the call has begun, or ended.
func (g *guest) setRunning(running bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running = running
	switch {
	case !running:
		g.over = nil
	case g.over != nil:
		g.call.Cancel(g.over)
	}
}

// run runs guests.
func (g *guest) run() {
	for m := range g.begun {
		g.invoke(&m)
	}
}

func (g *guest) invoke(m *invoke) {
	if m.Version != nil {
		g.adopt(m.Version)
	}
	c := &g.call
	c.Reset()
	g.body = nil
	g.grant.reset()
	c.ID, c.Services, c.Bindings, c.Limits, c.Responder = string(m.ID), &g.services, g.bindings, g.limits, responder{g}
	c.Request, c.Memory, c.Client = m.Request.host(), &g.grant, g
	c.Scheduled, c.Change, c.Queue = m.Scheduled.host(), m.Change.host(), m.Queue.host()
	if m.Request.Body {
		c.Request.Body = &reader{guest: g, ctx: c, body: bodyRequest}
	}
	c.Begin(context.Background())
	g.setRunning(true)
	g.snapshot.Use() // it is never closed
	outcome, spent, err := g.snapshot.Invoke(c)
	g.setRunning(false)
	g.uploads.Wait()
	e := end{Outcome: outcome, Usage: usageOf(&c.Usage), Answer: g.body, Decisions: decisionsOf(c.Queue)}
	if err != nil {
		e.Err = text(err.Error())
		_, e.Thrown = errors.AsType[*js.Failure](err)
	}
	_ = g.send(kindEnd, &e) // a node that is gone is found out by serve
	if spent != nil {
		spent.Recycle()
	}
}

// adopt takes what is known of the Version.
func (g *guest) adopt(v *version) {
	g.bindings = v.bindings(g)
	g.limits = v.Limits
	g.services.ClockStep = v.ClockStep
}

// Gone implements host.Client.
func (g *guest) Gone() bool { return g.gone.Load() }

// initialize initialises the module, and sends what it leaves.
func (g *guest) initialize(m *initialize) {
	g.adopt(&m.Version)
	setup := runtime.Setup{Services: &g.services, Bindings: g.bindings, Limits: g.limits}
	for i := range m.Warmup {
		setup.Warmup = append(setup.Warmup, m.Warmup[i].host())
	}
	done, err := g.snapshot.Initialize(context.Background(), setup)
	e := end{Memory: int64(len(done.Memory)), Globals: done.Globals, Handlers: done.Handlers}
	if err != nil {
		e.Err = text(err.Error())
		if public, ok := errors.AsType[*host.Error](err); ok {
			e.Code = public.Code
		}
	}
	if g.send(kindEnd, &e) != nil || err != nil {
		return
	}
	const part = 64 << 10
	for at := 0; at < len(done.Memory); at += part {
		if data := done.Memory[at:min(at+part, len(done.Memory))]; !isZero(data) {
			_ = g.send(kindImage, &image{At: int64(at), Data: data})
		}
	}
	_ = g.send(kindImage, &image{})
}

// ask asks the node and waits for the reply, or until ctx ends.
func (g *guest) ask(ctx context.Context, q *question) (reply, error) {
	w, err := g.begin(q)
	if err != nil {
		return reply{}, err
	}
	return g.await(ctx, q, w)
}

// begin asks without waiting.
func (g *guest) begin(q *question) (chan reply, error) {
	w := g.register(q)
	if w == nil || g.send(kindAsk, q) != nil {
		return nil, errHungUp
	}
	return w, nil
}

var errHungUp = host.Errorf(host.CodeInternal, "the node has hung up")

// register numbers a question. The result is nil once the connection has ended.
func (g *guest) register(q *question) chan reply {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return nil
	}
	w := make(chan reply, 1)
	q.ID = g.next
	g.next++
	g.waiting[q.ID] = w
	return w
}

func (g *guest) await(ctx context.Context, q *question, w chan reply) (reply, error) {
	select {
	case r := <-w:
		return r, r.err()
	case <-ctx.Done():
	}
	g.mu.Lock()
	delete(g.waiting, q.ID)
	g.mu.Unlock()
	_ = g.send(kindDrop, drop{ID: q.ID})
	return reply{}, context.Cause(ctx)
}

// tell says something to which there is no reply.
func (g *guest) tell(q *question) { _ = g.send(kindAsk, q) }

func (r *reply) err() error {
	switch {
	case r.Code != 0:
		return &host.Error{Code: r.Code, Msg: string(r.Msg)}
	case r.EOF:
		return io.EOF
	}
	return nil
}
