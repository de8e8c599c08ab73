package native

import (
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/kv"
)

// See ABI.md, "Batches of queues".
var batchFuncs = []abi.Func{
	{Name: "batch_head", Params: buffer, Results: i32, Do: batchHead},
	{Name: "batch_body", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: batchBody},
	{Name: "batch_ack", Params: i32, Results: i32, Do: decide(func(b *host.QueueBatch, a abi.Args) error { return b.Ack(int(int32(a.U32(0)))) })},
	{Name: "batch_retry", Params: []abi.Type{abi.I32, abi.I64}, Results: i32, Do: decide(func(b *host.QueueBatch, a abi.Args) error {
		return b.Retry(int(int32(a.U32(0))), delayOf(a.I64(1)))
	})},
	{Name: "batch_ack_all", Results: i32, Do: decide(func(b *host.QueueBatch, _ abi.Args) error {
		b.AckAll()
		return nil
	})},
	{Name: "batch_retry_all", Params: i64, Results: i32, Do: decide(func(b *host.QueueBatch, a abi.Args) error { return b.RetryAll(delayOf(a.I64(0))) })},
}

// contentTypes are those of messages, by their numbers.
var contentTypes = []kv.ContentType{kv.ContentJSON, kv.ContentText, kv.ContentBytes, kv.ContentV8}

// delayOf is a delay of a guest, in milliseconds; -1 is none.
func delayOf(millis int64) time.Duration {
	if millis == -1 {
		return host.NoDelay
	}
	const most = int64(1 << 40) // is refused, and no overflow
	return time.Duration(max(-2, min(millis, most))) * time.Millisecond
}

func batchHead(g abi.Guest, a abi.Args) int64 {
	if g.Queue == nil {
		return failed(g, errNoBatch)
	}
	return g.Offer(appendBatch(nil, g.Queue), a.U32(0), a.U32(1))
}

func appendBatch(dst []byte, b *host.QueueBatch) []byte {
	dst = appendUint32s(dst, uint32(len(b.Queue)), uint32(len(b.Messages)))
	dst = appendUint64s(dst, uint64(b.Backlog.Messages), uint64(b.Backlog.Bytes), uint64(unixMillis(b.Backlog.Oldest)))
	dst = append(dst, b.Queue...)
	for i := range b.Messages {
		m := &b.Messages[i]
		kind := slices.Index(contentTypes, m.ContentType)
		dst = appendUint32s(dst, uint32(len(m.ID)), uint32(kind), uint32(m.Attempts), uint32(len(m.Body)))
		dst = append(appendUint64s(dst, uint64(m.Sent.UnixMilli())), m.ID...)
	}
	return dst
}

func unixMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func batchBody(g abi.Guest, a abi.Args) int64 {
	n := a.U32(0)
	switch {
	case g.Queue == nil:
		return failed(g, errNoBatch)
	case n >= uint32(len(g.Queue.Messages)):
		return failed(g, host.Errorf(host.CodeInvalid, "message %d: the batch has %d", n, len(g.Queue.Messages)))
	}
	return g.Offer(g.Queue.Messages[n].Body, a.U32(1), a.U32(2))
}

// decide is a function that says what becomes of messages.
func decide(what func(b *host.QueueBatch, a abi.Args) error) func(abi.Guest, abi.Args) int64 {
	return func(g abi.Guest, a abi.Args) int64 {
		if g.Queue == nil {
			return failed(g, errNoBatch)
		}
		if err := what(g.Queue, a); err != nil {
			return failed(g, err)
		}
		return 0
	}
}
