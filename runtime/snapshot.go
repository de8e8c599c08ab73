package runtime

import (
	"errors"
	"fmt"
	"sync"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/memory"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// maxIdle is how many instances of one Snapshot wait for the next request.
const maxIdle = 64

// Snapshot is what the Instances of one Version begin with: the memory and the
// globals of its module after initialisation, taken once. It is safe for
// concurrent use.
type Snapshot struct {
	Module kv.Digest // of the module as it was uploaded
	// Budget is what the memory of Instances comes from while they run; nil if it
	// has no end. Set it before the first Use.
	Budget *memory.Budget

	runtime *Runtime
	code    *code
	image   *memory.Image
	habit   habit
	program []byte // what is to be loaded by initialisation, unless it was
	remote  Remote // runs the Instances; nil if that is done here
	explained
	snapshotState

	// inUse is read-locked by each Invocation, so that Close waits for them.
	inUse  sync.RWMutex
	closed bool // guarded by inUse

	mu    sync.Mutex  // guards what follows
	idle  []*Instance // ready, last in first out
	spare int         // the fewest that were idle since Trim
	shut  bool        // nothing becomes idle any more
}

// snapshotState is what of a Snapshot is kept on disk beside the image.
type snapshotState struct {
	Globals []wasm.GlobalValue
	// Initialized: the module's own initialisation is in the image.
	Initialized bool
	// Engine tells which interpreter is in the image, with its platform; empty if
	// none is.
	Engine string `json:",omitempty"`
	// Detaches is Detached for what the code interprets.
	Detaches bool `json:",omitempty"`
	// Mapped: there are source maps for what the code interprets.
	Mapped bool `json:",omitempty"`
	// Handlers are what the module handles; 0 where it was not noted.
	Handlers host.Handlers `json:",omitempty"`
	// Overhead is what an Instance takes beside its memory, in bytes, about.
	Overhead int64
}

// newSnapshot keeps the contents of a memory. It holds the code that the caller
// holds, by itself.
func newSnapshot(r *Runtime, c *code, module kv.Digest, contents []byte, state snapshotState, program []byte) (*Snapshot, error) {
	image, err := r.imageOf(contents, state)
	if err != nil {
		return nil, fmt.Errorf("keep image: %w", err)
	}
	return keepSnapshot(r, c, module, image, state, program)
}

// keepSnapshot is newSnapshot for an image, which it takes over.
func keepSnapshot(r *Runtime, c *code, module kv.Digest, image *memory.Image, state snapshotState, program []byte) (*Snapshot, error) {
	r.holdCode(c.digest)
	r.bytes.Add(image.Resident())
	s := &Snapshot{Module: module, runtime: r, code: c, image: image, program: program, snapshotState: state}
	if r.cfg.Isolation == nil {
		return s, nil
	}
	if err := s.openRemote(); err != nil {
		return nil, err
	}
	return s, nil
}

// ErrClosed: the Snapshot is being freed, because another Version serves or there
// was no room for it.
var ErrClosed = errors.New("snapshot was closed")

// ErrNoRoom: the Budget is used up.
var ErrNoRoom = errors.New("the memory for running guests is used up")

// Use keeps the Snapshot until Done, and reports whether it still is there. It
// does not wait.
func (s *Snapshot) Use() bool {
	if !s.inUse.TryRLock() {
		return false
	}
	if s.closed {
		s.inUse.RUnlock()
		return false
	}
	return true
}

// Done ends what Use began.
func (s *Snapshot) Done() { s.inUse.RUnlock() }

// Detached: an Invocation may go on after its answer was sent, or streams it, and
// therefore runs on a goroutine of its own.
func (s *Snapshot) Detached() bool { return s.code.plan.Detached || s.Detaches }

// Handles says what the module handles.
func (s *Snapshot) Handles() host.Handlers {
	if s.Handlers == 0 {
		return s.code.plan.Handlers()
	}
	return s.Handlers
}

// Memory is what an Instance begins with, in bytes.
func (s *Snapshot) Memory() int64 { return int64(s.image.Size()) }

// pop takes the instance that was used last, whose memory is the warmest. One
// that was made for another limit is not for this request.
func (s *Snapshot) pop(limit int64) *Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.idle)
	if n == 0 || s.idle[n-1].limit != limit {
		return nil
	}
	i := s.idle[n-1]
	s.idle = s.idle[:n-1]
	s.spare = min(s.spare, n-1)
	return i
}

func (s *Snapshot) push(i *Instance) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut || len(s.idle) >= maxIdle {
		return false
	}
	s.idle = append(s.idle, i)
	return true
}

// Trim frees the Instances that nobody needed since the last Trim, apart from one.
func (s *Snapshot) Trim() {
	for _, i := range s.takeSpare() {
		i.discard()
	}
}

// Rest frees all Instances that are idle. The next Invocation makes another one.
func (s *Snapshot) Rest() {
	for _, i := range s.takeIdle() {
		i.discard()
	}
}

func (s *Snapshot) takeIdle() []*Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle := s.idle
	s.idle, s.spare = nil, 0
	return idle
}

// lightImage is up to which size an image is hardly worth to be freed, in bytes: that
// of a small Worker.
const lightImage = 64 << 10

// Light says whether the Snapshot takes next to nothing while no Instance is idle:
// others hold its code, and its image is small.
func (s *Snapshot) Light() bool {
	return s.remote == nil && s.image.Resident() <= lightImage && s.runtime.shared(s.code)
}

// takeSpare takes from the bottom, where those are that were not used for longest.
func (s *Snapshot) takeSpare() []*Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := max(0, min(s.spare-1, len(s.idle)))
	spare := append([]*Instance(nil), s.idle[:n]...)
	s.idle = append(s.idle[:0], s.idle[n:]...)
	s.spare = len(s.idle)
	return spare
}

// Close waits for Invocations and frees the Snapshot.
func (s *Snapshot) Close() error {
	s.inUse.Lock()
	defer s.inUse.Unlock()
	return s.free()
}

// TryClose is Close unless that would have to wait, and reports whether it was.
func (s *Snapshot) TryClose() (closed bool, err error) {
	if !s.inUse.TryLock() {
		return false, nil
	}
	defer s.inUse.Unlock()
	return true, s.free()
}

// free needs inUse.
func (s *Snapshot) free() error {
	if s.closed {
		return nil
	}
	s.closed = true
	for _, i := range s.shutIdle() {
		i.discard()
	}
	s.runtime.bytes.Add(-s.image.Resident())
	if s.remote != nil {
		s.remote.Close()
	}
	return errors.Join(s.image.Close(), s.runtime.dropCode(s.code))
}

func (s *Snapshot) shutIdle() []*Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle := s.idle
	s.idle, s.shut = nil, true
	return idle
}
