package host

import "sync"

// event is what an invocation runs: registered once, while the program starts.
var event func()

// Handle registers what answers requests. The last call counts.
func Handle(f func()) { event = f }

// background is the work that WaitUntil was given in this invocation. It stays
// nil, and wait_until out of the module, in programs that don't call WaitUntil.
var background *tasks

type tasks struct {
	mu      sync.Mutex // guards the fields below; only native builds have a second thread
	waiting []func()
	started bool
	running sync.WaitGroup
	finish  func(*tasks)
}

// run answers one request and then does what WaitUntil was given.
func run() {
	background = nil // left by the previous request, in native builds
	if event == nil {
		Log(3, "no handler: call mayfly.Handle or mayflyhttp.Serve from func init; main doesn't run")
		Respond(500, nil, nil)
		return
	}
	event()
	if background != nil {
		background.finish(background)
	}
}

// WaitUntil runs f on a goroutine of its own after the response went out, or
// now if it has.
func WaitUntil(f func()) {
	if background == nil {
		background = &tasks{finish: (*tasks).runAll}
	}
	background.add(f)
}

func (t *tasks) add(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.started {
		t.running.Go(f)
		return
	}
	t.waiting = append(t.waiting, f)
}

func (t *tasks) runAll() {
	if err := Detach(); err != nil {
		Log(3, "wait until: "+err.Error())
	}
	t.mu.Lock()
	t.started = true
	for _, f := range t.waiting {
		t.running.Go(f)
	}
	t.mu.Unlock()
	t.running.Wait()
}
