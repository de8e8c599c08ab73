package host

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Call is the host's side of one Invocation: what it answers, what it may do,
// what it has used and the handles it holds. It is also the context.Context
// under which the guest runs, so that host functions find it without a search.
//
// Begin and End frame an Invocation; after Reset the Call may begin another.
// A Call belongs to the goroutine that runs the guest; only the context methods
// and Cancel may be called from others.
type Call struct {
	ID        string // request id, shown to clients and in logs
	Services  *Services
	Bindings  *Bindings
	Limits    Limits
	Request   Request
	Responder Responder
	// Trigger is what started the Invocation. With TriggerCron, Scheduled is the
	// event; Request stands for it where a guest knows requests only, and there is
	// nobody to answer. The same holds for TriggerKV and Change,
	// TriggerQueue and Queue.
	Trigger   Trigger
	Scheduled *Scheduled
	Change    *KVChange
	Queue     *QueueBatch
	// Caller is the Invocation that waits for this one; nil where none does.
	Caller *Caller

	// What a WASI guest sees. Stdin may be nil, which reads as empty.
	Args   []string
	Env    []string // KEY=value
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	WASI   WASIState

	// Program is what an interpreting guest loads, during its initialisation alone.
	Program []byte
	// Handlers is what the guest said of itself during its initialisation; 0 if it said
	// nothing.
	Handlers Handlers
	// Guest is what the ABI remembers of the Invocation. Its Enter resets it, so
	// that buffers are kept from one to the next.
	Guest any

	Usage     Usage
	Said      []byte // the end of what the guest logged, at most maxSaid bytes; reused
	Responded bool   // the answer was given, or its stream was opened
	Detached  bool   // the guest goes on after its answer
	BodyTaken bool   // the guest holds, or held, the handle of Request.Body
	LastError *Error // the newest error that a host function returned
	Handles   Handles

	// Memory is what the host keeps for the guest comes from, beside Limits.Held;
	// the engine sets it.
	Memory Memory

	// Client is who waits for the answer; nil if that can't be told. It is asked
	// while the guest runs, and not once the connection has gone on without it.
	Client Client

	// Pacer is the engine's; nil if it has none.
	Pacer Pacer

	// Explainer has the log show where in its sources a guest was; nil if nobody can.
	Explainer Explainer

	// Threads makes Usage.CPU more exact on a machine that is busy; the engine's, nil
	// if it has none.
	Threads ThreadClock

	// Watcher is told what the Invocation does; nil if nobody is interested.
	Watcher Watcher

	// Turn is what a guest may hold while it runs. The engine gives it, and it ends
	// as soon as the guest waits.
	Turn      Turn
	TurnSince time.Time
	TurnCPU   time.Duration // Usage.CPU at that time
	TurnLong  bool          // the turn is that of a guest that runs for long
	Long      bool          // the guest is expected to run for long
	TurnWait  time.Duration // in all, until its turn came

	// Deep says that the guest's calls were nested deeply, and MoreStack how many bytes
	// more they may use then. Both are the engine's.
	Deep      bool
	MoreStack int64
	// Share is how many metered units are one unit of work; the engine's.
	Share int64

	// Timed asks the engine to note Acquired, when the guest began to run.
	Timed    bool
	Acquired time.Time

	started  time.Time
	running  time.Time // since when the guest runs; zero while it waits
	stretch  stretched
	looked   time.Time // when Client was asked last
	owed     int64     // units of Work since Pacer was asked
	parent   context.Context
	inflight sync.WaitGroup // goroutines of Start and of Exchanges
	held     atomic.Int64   // bytes, see Hold
	faults   int            // of the node that were logged
	wake     chan struct{}  // capacity 1: some task has finished
	life     lifetime

	self *Caller // see asCaller

	connections turns // one per outbound request that is open
	stores      turns // one per operation that is in a store
}

// Begin starts an Invocation that lasts until parent ends or Limits.Wall has
// passed. The exported fields are set before.
func (c *Call) Begin(parent context.Context) {
	c.parent = parent
	c.started = time.Now()
	c.running = c.started
	c.life.deadline = c.started.Add(c.Limits.Wall)
	if c.wake == nil {
		c.wake = make(chan struct{}, 1)
	}
}

// End closes every handle, cancels what is under way and waits for it. err is
// what ended the guest, if it failed. Usage is complete afterwards.
func (c *Call) End(err error) {
	now := time.Now()
	c.pauseAt(now)
	c.Handles.closeAll(err)
	c.life.end()
	c.inflight.Wait()
	if c.life.used() { // something may have been under way
		now = time.Now()
	}
	c.Usage.Wall = now.Sub(c.started)
}

// Reset forgets the Invocation that has ended and keeps only buffers.
func (c *Call) Reset() {
	select {
	case <-c.wake:
	default:
	}
	c.ID, c.Services, c.Bindings, c.Limits = "", nil, nil, Limits{}
	c.Request, c.Responder, c.Caller, c.self = Request{}, nil, nil, nil
	c.Trigger, c.Scheduled, c.Change, c.Queue = TriggerHTTP, nil, nil, nil
	c.Args, c.Env, c.Stdin, c.Stdout, c.Stderr = nil, nil, nil, nil, nil
	c.WASI.reset()
	c.Program, c.Handlers = nil, 0
	c.Usage, c.LastError, c.faults = Usage{}, nil, 0
	c.Said = c.Said[:0]
	c.Responded, c.Detached, c.BodyTaken = false, false, false
	c.Pacer, c.owed = nil, 0
	c.Threads, c.stretch = nil, stretched{}
	c.Watcher, c.Explainer = nil, nil
	c.Client, c.Turn, c.TurnSince, c.TurnCPU, c.TurnLong, c.Long, c.TurnWait = nil, nil, time.Time{}, 0, false, false, 0
	c.Timed, c.Acquired = false, time.Time{}
	c.started, c.looked, c.parent = time.Time{}, time.Time{}, nil
	c.Release(int(c.held.Load())) // what was not released by itself
	c.Memory = nil
	c.life.reset()
}

// IsEvent says that there is nobody to answer.
func (c *Call) IsEvent() bool { return c.Scheduled != nil || c.Change != nil || c.Queue != nil }

// Started is when Begin was called.
func (c *Call) Started() time.Time { return c.started }

// TimeLeft is how long the guest may still run.
func (c *Call) TimeLeft() time.Duration {
	deadline, _ := c.Deadline()
	return time.Until(deadline)
}

// Elapsed is how long ago the Invocation began.
func (c *Call) Elapsed() time.Duration { return time.Since(c.started) }

// Log passes text to the log and reports whether Limits.Log had room for it.
func (c *Call) Log(level LogLevel, text []byte) bool {
	if c.Usage.LogBytes+int64(len(text)) > c.Limits.Log {
		c.Usage.LogDropped++
		return false
	}
	c.Usage.LogBytes += int64(len(text))
	if c.Explainer != nil && bytes.Contains(text, stackLine) {
		text = []byte(c.Explainer.Explain(c.Context(), string(text)))
	}
	c.say(text)
	c.Services.Log.GuestLog(c, level, text)
	if c.Watcher != nil {
		c.Watcher.GuestLog(level, text)
	}
	return true
}

// Explainer shows places in stack traces as those of the sources that the code was made
// of. It is safe for concurrent use.
type Explainer interface {
	// Explain returns text with them, or as it is.
	Explain(ctx context.Context, text string) string
}

// stackLine is in each line of a stack trace of JavaScript.
var stackLine = []byte("    at ")

// maxSaid is how much is kept of what a guest logs, to be shown where it fails.
const maxSaid = 2 << 10

func (c *Call) say(text []byte) {
	if more := len(c.Said) + len(text) + 1 - maxSaid; more > 0 {
		kept := copy(c.Said, c.Said[min(more, len(c.Said)):])
		c.Said, text = c.Said[:kept], text[max(0, len(text)+1-maxSaid):]
	}
	c.Said = append(append(c.Said, text...), '\n')
}

// maxFaults is how often one Invocation writes to the node's log: a guest may
// repeat what fails as often as it likes.
const maxFaults = 8

// Fail keeps err for the guest to ask about and returns its code. What is not
// meant for guests goes to the node's log.
func (c *Call) Fail(err error) Code {
	c.LastError = PublicError(err)
	if c.LastError.Code == CodeLimit {
		c.Usage.Refused++
	}
	if c.LastError.Code == CodeInternal && c.faults < maxFaults {
		c.faults++
		c.Services.Logger.Error("host function", "request", c.ID, "err", err)
	}
	return c.LastError.Code
}
