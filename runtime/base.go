package runtime

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/memory"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// base is what all Workers have in common: the engine and the platform, the same at
// the same places.
type base struct {
	mu   sync.Mutex // held while it is made
	made bool
	// started is what initialising a Worker begins with: the platform is there, and no
	// program.
	started struct {
		image   *memory.Image
		globals []wasm.GlobalValue
	}
	// image is the memory of a Worker that does nothing. What others have beside it is
	// what they cost, in memory and on disk.
	image  *memory.Image
	memory []byte
	digest kv.Digest
}

// hasBase: a node whose guests run in other processes has no code to make it with, and
// those processes have one Worker each.
func (r *Runtime) hasBase() bool { return r.cfg.Isolation == nil && !r.cfg.Whole && !r.cfg.Simple }

// emptyWorker is what base has in its memory.
const emptyWorker = `export default { fetch() {} };`

// base returns the base of the interpreter, which takes some 50 ms once. Where it could
// not be made, such as without memory, the next one who asks tries again.
func (r *Runtime) base() (*base, error) {
	b := &r.interpreter.base
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made {
		return b, nil
	}
	if err := r.makeBase(b); err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.made = true
	r.bytes.Add(b.started.image.Resident() + b.image.Resident() + int64(len(b.memory)))
	return b, nil
}

func (r *Runtime) makeBase(b *base) (err error) {
	p := js.Program{Main: "index.js", Modules: []js.Source{{Name: "index.js", Type: js.TypeModule, Data: []byte(emptyWorker)}}}
	data, err := p.Encode()
	if err != nil {
		return err
	}
	ctx := context.Background()
	m, err := r.loadProgram(ctx, data)
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := m.unstarted()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	i, err := s.newInstance(ctx, baseLimits().Memory)
	if err != nil {
		return err
	}
	defer i.discard()
	return r.keepBase(b, i)
}

// keepBase runs an Instance of the interpreter and keeps what it leaves.
func (r *Runtime) keepBase(b *base, i *Instance) (err error) {
	setup := Setup{Services: baseServices(), Bindings: &host.Bindings{}, Limits: baseLimits()}
	start := func(c *host.Call) error { return i.call(c, i.mod.ExportedFunction(js.StartExport)) }
	if _, err := i.sealed(context.Background(), setup, host.Request{}, start); err != nil {
		return fmt.Errorf("start the JavaScript engine: %w", err)
	}
	b.started.globals = i.currentGlobals()
	if b.started.image, err = memory.NewImage(i.region.Bytes()); err != nil {
		return err
	}
	if _, err := i.sealed(context.Background(), setup, host.Request{}, i.Initialize); err != nil {
		return fmt.Errorf("initialise the JavaScript engine: %w", err)
	}
	b.memory = slices.Clone(i.region.Bytes())
	b.digest = kv.DigestOf(b.memory)
	b.image, err = memory.NewImage(b.memory)
	return err
}

// baseLimits are for code of ours, however slow the machine is.
func baseLimits() host.Limits {
	l := host.DefaultLimits()
	l.CPU, l.Wall = time.Hour, time.Hour
	return l
}

// close frees the base. Nothing that has it is in use any more.
func (b *base) close() error {
	var err error
	for _, i := range []**memory.Image{&b.started.image, &b.image} {
		if *i != nil {
			err = errors.Join(err, (*i).Close())
			*i = nil
		}
	}
	return err
}

// imageOf keeps the memory of a Snapshot, by what it has beside the base where it has
// one.
func (r *Runtime) imageOf(contents []byte, state snapshotState) (*memory.Image, error) {
	if state.Engine == "" || !state.Initialized || !r.hasBase() {
		return memory.NewImage(contents)
	}
	b, err := r.base()
	if err != nil {
		return nil, err
	}
	return memory.NewVariant(b.image, contents)
}

// baseServices have nothing that differs from one time to another, so that each
// process makes the same base.
func baseServices() *host.Services {
	return &host.Services{
		Fetcher: sealedFetcher{}, Log: noLog{}, Logger: slog.New(slog.DiscardHandler), Random: zeros{},
		Now: func() time.Time { return time.Unix(0, 0) },
	}
}

type noLog struct{}

func (noLog) GuestLog(*host.Call, host.LogLevel, []byte) {}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// difference changes the contents of a memory to what it has beside the base, and back.
func (b *base) difference(contents []byte) {
	n := min(len(contents), len(b.memory))
	subtle.XORBytes(contents[:n], contents[:n], b.memory[:n])
}
