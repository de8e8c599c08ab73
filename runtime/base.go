package runtime

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/memory"
)

// base is the memory of a Worker that does nothing. What others have beside it is
// what they cost, in memory and on disk: the engine and the platform are the same in
// all of them, at the same places.
type base struct {
	once   sync.Once
	memory []byte
	image  *memory.Image
	digest kv.Digest
	err    error
}

// hasBase: a node whose guests run in other processes has no code to make it with.
func (r *Runtime) hasBase() bool { return r.cfg.Isolation == nil }

// emptyWorker is what base has in its memory.
const emptyWorker = `export default { fetch() {} };`

// base returns the base of the interpreter, which takes some 50 ms once.
func (r *Runtime) base() (*base, error) {
	b := &r.interpreter.base
	b.once.Do(func() {
		if b.memory, b.err = r.makeBase(); b.err != nil {
			return
		}
		b.digest = kv.DigestOf(b.memory)
		if b.image, b.err = memory.NewImage(b.memory); b.err == nil {
			r.bytes.Add(b.image.Resident() + int64(len(b.memory)))
		}
	})
	return b, b.err
}

func (r *Runtime) makeBase() (contents []byte, err error) {
	p := js.Program{Main: "index.js", Modules: []js.Source{{Name: "index.js", Type: js.TypeModule, Data: []byte(emptyWorker)}}}
	data, err := p.Encode()
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	m, err := r.loadProgram(ctx, data)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s, err := m.firstState()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	setup := Setup{Services: baseServices(), Bindings: &host.Bindings{}, Limits: host.DefaultLimits()}
	i, err := s.newInstance(ctx, setup.Limits.Memory)
	if err != nil {
		return nil, err
	}
	defer i.discard()
	if _, err := i.sealed(ctx, setup, host.Request{}, i.Initialize); err != nil {
		return nil, fmt.Errorf("initialise the JavaScript engine: %w", err)
	}
	return append([]byte(nil), i.region.Bytes()...), nil
}

// close frees the base. Nothing that has it is in use any more.
func (b *base) close() error {
	if b.image == nil {
		return nil
	}
	return b.image.Close()
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
