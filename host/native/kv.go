package native

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/kv"
)

// See ABI.md, "KV".
var kvFuncs = []abi.Func{
	{Name: "kv_open", Params: buffer, Results: i32, Do: kvOpen},
	{Name: "kv_get", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: kvGet},
	{Name: "kv_put", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I64, abi.I64, abi.I32}, Results: i32, Do: kvPut},
	{Name: "kv_delete", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I64, abi.I32}, Results: i32, Do: kvDelete},
	{Name: "kv_list", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32, abi.I32, abi.I32}, Results: i32, Do: kvList},
	{Name: "kv_status", Params: i32, Results: i32, Do: kvStatus},
	{Name: "kv_value", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: kvValue},
	{Name: "kv_metadata", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: kvMetadata},
	{Name: "kv_revision", Params: i32, Results: i64, Do: kvRevision},
	{Name: "kv_expires", Params: i32, Results: i64, Do: kvExpires},
	{Name: "kv_page", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: kvPage},
	{Name: "kv_cursor", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: kvCursor},
}

// Bits of the flags parameters.
const (
	flagTTL     = 1 // expires is relative
	flagCompare = 2 // revision counts
)

// kvOp is a KV operation and, once its task is done, what came of it.
type kvOp struct {
	host.Task
	entry  kv.Entry // of get; its Revision of put as well
	page   []byte   // of list, encoded
	cursor string
	err    error
}

// namespace is what the handle of an open KV namespace names. It hides the
// store's Close from the handle table.
type namespace struct{ store kv.Store }

// begin counts an operation and runs it beside the guest.
func begin(g abi.Guest, op *kvOp, work func(ctx context.Context)) int64 {
	if g.Usage.KVOperations == g.Limits.KVOperations {
		return failed(g, host.Errorf(host.CodeLimit, "the limit of %d KV operations per invocation is used up", g.Limits.KVOperations))
	}
	g.Usage.KVOperations++
	op.Task = g.Start(work)
	return opened(g, op)
}

func kvOpen(g abi.Guest, a abi.Args) int64 {
	name := g.Bytes(a.U32(0), a.U32(1))
	store, ok := g.Bindings.KV[string(name)]
	if !ok {
		return failed(g, host.Errorf(host.CodeNotFound, "no KV namespace is bound to %q; add it to [[kv_namespaces]]", name))
	}
	return opened(g, namespace{store})
}

// kvTarget reads the namespace and key that most operations begin with.
func kvTarget(g abi.Guest, a abi.Args) (store kv.Store, key string, err error) {
	ns, badHandle := get[namespace](g, a.U32(0))
	if badHandle != nil {
		return nil, "", badHandle
	}
	key = g.String(a.U32(1), a.U32(2))
	return ns.store, key, kv.CheckKey(key)
}

func kvGet(g abi.Guest, a abi.Args) int64 {
	store, key, err := kvTarget(g, a)
	if err != nil {
		return failed(g, err)
	}
	op := &kvOp{}
	return begin(g, op, func(ctx context.Context) { op.entry, op.err = store.Get(ctx, key) })
}

func kvPut(g abi.Guest, a abi.Args) int64 {
	store, key, err := kvTarget(g, a)
	if err != nil {
		return failed(g, err)
	}
	value, metadata := g.Bytes(a.U32(3), a.U32(4)), g.Bytes(a.U32(5), a.U32(6))
	opts, err := putOptions(g, value, metadata, a.I64(7), condition(a.U64(8), a.U32(9)), a.U32(9))
	if err != nil {
		return failed(g, err)
	}
	op, value := &kvOp{}, bytes.Clone(value)
	return begin(g, op, func(ctx context.Context) { op.entry.Revision, op.err = store.Put(ctx, key, value, opts) })
}

func putOptions(g abi.Guest, value, metadata []byte, expires int64, c kv.Condition, flags uint32) (opts kv.PutOptions, err error) {
	if err = kv.CheckValue(int64(len(value))); err != nil {
		return opts, err
	}
	if err = kv.CheckMetadata(metadata); err != nil {
		return opts, err
	}
	opts = kv.PutOptions{Metadata: bytes.Clone(metadata), If: c}
	switch now := g.Services.Now(); {
	case flags&flagTTL != 0:
		opts.Expires, err = kv.ExpireIn(expires, now, kv.MinTTL)
	case expires != 0:
		opts.Expires, err = kv.ExpireAt(expires, now, kv.MinTTL)
	}
	return opts, err
}

func condition(revision uint64, flags uint32) kv.Condition {
	if flags&flagCompare == 0 {
		return kv.AnyRevision
	}
	return kv.IfRevision(revision)
}

func kvDelete(g abi.Guest, a abi.Args) int64 {
	store, key, err := kvTarget(g, a)
	if err != nil {
		return failed(g, err)
	}
	op, opts := &kvOp{}, kv.DeleteOptions{If: condition(a.U64(3), a.U32(4))}
	return begin(g, op, func(ctx context.Context) { op.err = store.Delete(ctx, key, opts) })
}

func kvList(g abi.Guest, a abi.Args) int64 {
	ns, badHandle := get[namespace](g, a.U32(0))
	if badHandle != nil {
		return failed(g, badHandle)
	}
	opts := kv.ListOptions{
		Prefix: g.String(a.U32(1), a.U32(2)),
		Cursor: g.String(a.U32(3), a.U32(4)),
		Limit:  int(a.U32(5)),
	}
	if err := kv.CheckListLimit(opts.Limit); err != nil {
		return failed(g, err)
	}
	if err := kv.CheckKeyPrefix(opts.Prefix); err != nil {
		return failed(g, err)
	}
	op := &kvOp{}
	return begin(g, op, func(ctx context.Context) { op.list(ctx, ns.store, opts) })
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
