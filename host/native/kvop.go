package native

import (
	"cmp"
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/kv"
)

// kvOp is an operation of KV or of a queue and, once its task is done, what came of it.
type kvOp struct {
	host.Task
	store  string // "queue", or empty for KV
	name   string
	entry  kv.Entry // of get; its Revision of put as well
	page   []byte   // of list, encoded
	cursor string
	err    error

	backlog host.QueueBacklog // of queue_backlog

	call   *host.Call
	cancel context.CancelFunc
	watch  func(status int, err error) // told of the end
	held   int                         // bytes, set when the task is done
	ends   atomic.Int32                // of two: the task is done, the handle is closed
}

// run works in a store until the operation is closed. The result is dropped if
// there is no room to hold it.
func (op *kvOp) run(ctx context.Context, work func(ctx context.Context)) {
	defer op.end()
	defer op.cancel()
	work(ctx)
	op.watch(0, op.err)
	size := len(op.entry.Value) + len(op.entry.Metadata) + len(op.page)
	if err := op.call.Hold(size); err != nil {
		op.entry, op.page, op.cursor, op.err = kv.Entry{}, nil, "", err
		return
	}
	op.held = size
}

// Close cancels what is under way and lets go of the result.
func (op *kvOp) Close() error {
	op.cancel()
	op.end()
	return nil
}

// end gives back what is held once nobody needs it.
func (op *kvOp) end() {
	if op.ends.Add(1) == 2 {
		op.call.Release(op.held)
	}
}

// begin counts an operation and runs it beside the guest.
func begin(g abi.Guest, op *kvOp, work func(ctx context.Context)) int64 {
	return beginBy(g, op, func(ctx context.Context) host.Task {
		return g.StartInStore(ctx, func(ctx context.Context) { op.run(ctx, work) })
	})
}

// beginBy counts an operation that start starts.
func beginBy(g abi.Guest, op *kvOp, start func(ctx context.Context) host.Task) int64 {
	if err := g.MayOperate(); err != nil {
		return failed(g, err)
	}
	if err := g.Handles.Room(); err != nil {
		return failed(g, err)
	}
	g.Usage.KVOperations++
	g.Work(host.KVWeight)
	op.call = g.Call
	ctx, cancel := context.WithCancel(g.Context())
	op.cancel, op.watch = cancel, g.Watch(host.Operation{Kind: cmp.Or(op.store, "kv"), Name: op.name})
	op.Task = start(ctx)
	return opened(g, op)
}

func (op *kvOp) list(ctx context.Context, store kv.Store, opts kv.ListOptions) {
	page, err := store.List(ctx, opts)
	for _, e := range page.Entries {
		op.page = appendRecord(op.page, e)
	}
	op.cursor, op.err = page.Cursor, err
}

func appendRecord(dst []byte, e kv.Entry) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.Key)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.Metadata)))
	dst = binary.LittleEndian.AppendUint64(dst, e.Revision)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(unix(e.Expires)))
	return append(append(dst, e.Key...), e.Metadata...)
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// kvResult waits for an operation.
func kvResult(g abi.Guest, handle uint32) (*kvOp, error) {
	op, err := get[*kvOp](g, handle)
	if err != nil {
		return nil, err
	}
	if err := op.Wait(g.Call); err != nil {
		return nil, err
	}
	return op, op.err
}

func kvStatus(g abi.Guest, a abi.Args) int64 {
	if _, err := kvResult(g, a.U32(0)); err != nil {
		return failed(g, err)
	}
	return 0
}

func kvValue(g abi.Guest, a abi.Args) int64 {
	op, err := kvResult(g, a.U32(0))
	if err != nil {
		return failed(g, err)
	}
	return g.Offer(op.entry.Value, a.U32(1), a.U32(2))
}

func kvMetadata(g abi.Guest, a abi.Args) int64 {
	op, err := kvResult(g, a.U32(0))
	if err != nil {
		return failed(g, err)
	}
	return g.Offer(op.entry.Metadata, a.U32(1), a.U32(2))
}

func kvRevision(g abi.Guest, a abi.Args) int64 {
	op, err := kvResult(g, a.U32(0))
	if err != nil {
		return failed(g, err)
	}
	return int64(op.entry.Revision)
}

func kvExpires(g abi.Guest, a abi.Args) int64 {
	op, err := kvResult(g, a.U32(0))
	if err != nil {
		return failed(g, err)
	}
	return unix(op.entry.Expires)
}

func kvPage(g abi.Guest, a abi.Args) int64 {
	op, err := kvResult(g, a.U32(0))
	if err != nil {
		return failed(g, err)
	}
	return g.Offer(op.page, a.U32(1), a.U32(2))
}

func kvCursor(g abi.Guest, a abi.Args) int64 {
	op, err := kvResult(g, a.U32(0))
	if err != nil {
		return failed(g, err)
	}
	return g.OfferString(op.cursor, a.U32(1), a.U32(2))
}
