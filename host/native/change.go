package native

import (
	"encoding/binary"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Changes of KV".
var changeFuncs = []abi.Func{
	{Name: "change_head", Params: buffer, Results: i32, Do: changeHead},
	{Name: "change_value", Params: buffer, Results: i32, Do: changeValue},
}

// Flags of change_head.
const (
	changeDeleted = 1
	changeOmitted = 2
)

func changeHead(g abi.Guest, a abi.Args) int64 {
	if g.Change == nil {
		return failed(g, errNoChange)
	}
	return g.Offer(appendChange(nil, g.Change), a.U32(0), a.U32(1))
}

func appendChange(dst []byte, c *host.KVChange) []byte {
	flags := uint32(0)
	if c.Deleted {
		flags |= changeDeleted
	}
	if c.Omitted {
		flags |= changeOmitted
	}
	dst = appendUint32s(dst, flags, uint32(c.Attempt))
	dst = appendUint64s(dst, c.Revision, c.OldRevision, uint64(c.Size), uint64(unix(c.Expires)), uint64(c.Time.UnixMilli()))
	dst = appendUint32s(dst, uint32(len(c.Namespace)), uint32(len(c.Binding)), uint32(len(c.Key)), uint32(len(c.Metadata)))
	return append(append(append(append(dst, c.Namespace...), c.Binding...), c.Key...), c.Metadata...)
}

func appendUint32s(dst []byte, list ...uint32) []byte {
	for _, v := range list {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	return dst
}

func appendUint64s(dst []byte, list ...uint64) []byte {
	for _, v := range list {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	return dst
}

func changeValue(g abi.Guest, a abi.Args) int64 {
	switch {
	case g.Change == nil:
		return failed(g, errNoChange)
	case g.Change.Deleted:
		return failed(g, errDeleted)
	case g.Change.Omitted:
		return failed(g, host.Errorf(host.CodeTooLarge, "a value of %d bytes is not part of its event; read it by kv_get", g.Change.Size))
	}
	return g.Offer(g.Change.Value, a.U32(0), a.U32(1))
}
