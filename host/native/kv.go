package native

import (
	"bytes"
	"context"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/kv"
)

// See ABI.md, "KV".
var kvFuncs = []abi.Func{
	{Name: "kv_open", Params: buffer, Results: i32, Do: kvOpen},
	{Name: "kv_strong", Params: i32, Results: i32, Do: kvStrong},
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

// namespace is what the handle of an open KV namespace names. It hides the
// store's Close from the handle table.
type namespace struct{ store kv.Store }

func kvOpen(g abi.Guest, a abi.Args) int64 {
	name := g.Bytes(a.U32(0), a.U32(1))
	store, ok := g.Bindings.KV[string(name)]
	if !ok {
		return failed(g, host.Errorf(host.CodeNotFound, "no KV namespace is bound to %.64q; add it to [[kv_namespaces]]", name))
	}
	return opened(g, namespace{store})
}

func kvStrong(g abi.Guest, a abi.Args) int64 {
	ns, badHandle := get[namespace](g, a.U32(0))
	if badHandle != nil {
		return failed(g, badHandle)
	}
	return opened(g, namespace{kv.Strong(ns.store)})
}

// kvTarget reads the namespace and key that most operations begin with.
func kvTarget(g abi.Guest, a abi.Args) (store kv.Store, key string, err error) {
	ns, badHandle := get[namespace](g, a.U32(0))
	if badHandle != nil {
		return nil, "", badHandle
	}
	if key, err = limited(g, a.U32(1), a.U32(2), kv.UserMaxKey); err != nil {
		return nil, "", err
	}
	return ns.store, key, kv.CheckKey(key)
}

// limited copies a short text out of the guest's memory.
func limited(g abi.Guest, ptr, n, most uint32) (string, error) {
	b := g.Bytes(ptr, n)
	if n > most {
		return "", host.Errorf(host.CodeTooLarge, "a key, prefix or cursor of %d bytes exceeds the limit of %d", n, most)
	}
	return string(b), nil
}

func kvGet(g abi.Guest, a abi.Args) int64 {
	store, key, err := kvTarget(g, a)
	if err != nil {
		return failed(g, err)
	}
	op := &kvOp{name: "get"}
	return beginBy(g, op, func(ctx context.Context) host.Task {
		return g.ReadInStore(ctx, store, key, func(e kv.Entry, err error) {
			op.run(ctx, func(context.Context) { op.entry, op.err = e, err })
		})
	})
}

func kvPut(g abi.Guest, a abi.Args) int64 {
	store, key, err := kvTarget(g, a)
	if err != nil {
		return failed(g, err)
	}
	value, metadata, flags := g.Bytes(a.U32(3), a.U32(4)), g.Bytes(a.U32(5), a.U32(6)), a.U32(9)
	if err := checkFlags(flags, flagTTL|flagCompare); err != nil {
		return failed(g, err)
	}
	opts, err := putOptions(g, value, metadata, a.I64(7), condition(a.U64(8), flags), flags)
	if err != nil {
		return failed(g, err)
	}
	return put(g, store, key, value, opts)
}

// put holds a copy of value until it is written.
func put(g abi.Guest, store kv.Store, key string, value []byte, opts kv.PutOptions) int64 {
	size := len(value)
	if err := g.Hold(size); err != nil {
		return failed(g, err)
	}
	op, value := &kvOp{name: "put"}, bytes.Clone(value)
	result := begin(g, op, func(ctx context.Context) {
		op.entry.Revision, op.err = store.Put(ctx, key, value, opts)
		g.Release(size)
	})
	if result < 0 {
		g.Release(size)
	}
	return result
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

func checkFlags(flags, known uint32) error {
	if flags&^known != 0 {
		return host.Errorf(host.CodeInvalid, "flags %#x has bits that mean nothing here", flags)
	}
	return nil
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
	if err := checkFlags(a.U32(4), flagCompare); err != nil {
		return failed(g, err)
	}
	op, opts := &kvOp{name: "delete"}, kv.DeleteOptions{If: condition(a.U64(3), a.U32(4))}
	return begin(g, op, func(ctx context.Context) { op.err = store.Delete(ctx, key, opts) })
}

func kvList(g abi.Guest, a abi.Args) int64 {
	ns, badHandle := get[namespace](g, a.U32(0))
	if badHandle != nil {
		return failed(g, badHandle)
	}
	opts, err := listOptions(g, a)
	if err != nil {
		return failed(g, err)
	}
	op := &kvOp{name: "list"}
	return begin(g, op, func(ctx context.Context) { op.list(ctx, ns.store, opts) })
}

// maxCursor is more than the cursor of the longest key.
const maxCursor = 4 * kv.UserMaxKey

func listOptions(g abi.Guest, a abi.Args) (opts kv.ListOptions, err error) {
	if opts.Prefix, err = limited(g, a.U32(1), a.U32(2), kv.UserMaxKey); err != nil {
		return opts, err
	}
	if opts.Cursor, err = limited(g, a.U32(3), a.U32(4), maxCursor); err != nil {
		return opts, err
	}
	opts.Limit = int(a.U32(5))
	if err = kv.CheckListLimit(opts.Limit); err != nil {
		return opts, err
	}
	return opts, kv.CheckKeyPrefix(opts.Prefix)
}
