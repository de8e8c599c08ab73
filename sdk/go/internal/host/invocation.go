package host

import "sync"

// event is what an invocation runs: registered once, while the program starts.
var event func()

// Handle registers what answers requests. The last call counts.
func Handle(f func()) {
	event = f
	declare(handlesFetch)
}

// What a program handles: the bits of handles.
const (
	handlesFetch = 1 << iota
	handlesScheduled
	handlesQueue
	handlesKV
)

// run answers one request and then does what WaitUntil was given.
func run() {
	background.reset()
	if event == nil {
		Log(3, "no handler: call mayfly.Handle or mayflyhttp.Serve from func init; main doesn't run")
		Respond(500, nil, nil)
		return
	}
	event()
	if finish := background.finisher(); finish != nil {
		finish()
	}
}

// What scheduled events, batches of queues and changes of KV run.
var scheduled, queued, changed func()

// HandleScheduled registers what handles scheduled events. The last call counts.
func HandleScheduled(f func()) {
	scheduled = f
	declare(handlesScheduled)
}

// HandleQueue registers what handles batches of queues. The last call counts.
func HandleQueue(f func()) {
	queued = f
	declare(handlesQueue)
}

// HandleKV registers what handles changes of KV. The last call counts.
func HandleKV(f func()) {
	changed = f
	declare(handlesKV)
}

// runEvent handles one event, what WaitUntil was given included.
func runEvent(handler func(), missing string) {
	background.reset()
	if handler == nil {
		Abort("no handler of " + missing + " from func init")
	}
	handler()
	if finish := background.finisher(); finish != nil {
		finish()
	}
}

// background is the work that WaitUntil was given in this invocation.
var background tasks

type tasks struct {
	mu      sync.Mutex // guards the fields below, except running
	waiting []func()
	started bool
	finish  func() // set by WaitUntil alone, which keeps wait_until out of programs that don't call it
	running sync.WaitGroup
}

// WaitUntil runs f on a goroutine of its own after the response went out, or
// now if it has.
func WaitUntil(f func()) {
	background.mu.Lock()
	defer background.mu.Unlock()
	background.finish = runBackground
	if background.started {
		background.running.Go(f)
		return
	}
	background.waiting = append(background.waiting, f)
}

func runBackground() {
	if err := Detach(); err != nil {
		Log(3, "wait until: "+err.Error())
	}
	background.start()
	background.running.Wait()
}

func (t *tasks) start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.started = true
	for _, f := range t.waiting {
		t.running.Go(f)
	}
}

func (t *tasks) finisher() func() {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.finish
}

// reset forgets the invocation before, which only native builds have.
func (t *tasks) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting, t.started, t.finish = nil, false, nil
}
