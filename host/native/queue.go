package native

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/kv"
)

// See ABI.md, "Queues".
var queueFuncs = []abi.Func{
	{Name: "queue_open", Params: buffer, Results: i32, Do: queueOpen},
	{Name: "queue_send", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: queueSend},
	{Name: "queue_backlog", Params: i32, Results: i32, Do: queueBacklog},
	{Name: "queue_status", Params: i32, Results: i32, Do: kvStatus},
	{Name: "queue_messages", Params: i32, Results: i64, Do: backlogNumber(func(b host.QueueBacklog) int64 { return b.Messages })},
	{Name: "queue_bytes", Params: i32, Results: i64, Do: backlogNumber(func(b host.QueueBacklog) int64 { return b.Bytes })},
	{Name: "queue_oldest", Params: i32, Results: i64, Do: backlogNumber(func(b host.QueueBacklog) int64 { return unixMillis(b.Oldest) })},
}

// producer is what the handle of an open queue names.
type producer struct{ to host.QueueProducer }

func queueOpen(g abi.Guest, a abi.Args) int64 {
	name := g.Bytes(a.U32(0), a.U32(1))
	p, ok := g.Bindings.Queues[string(name)]
	if !ok {
		return failed(g, host.Errorf(host.CodeNotFound, "no queue is bound to %.64q; add it to [[queues.producers]]", name))
	}
	return opened(g, producer{p})
}

// messageHead is the size of what is in front of each body: content type u32, length
// u32, delay i64.
const messageHead = 16

// messagesOf reads what a guest sends. The bodies are copies.
func messagesOf(data []byte) ([]host.QueueSend, error) {
	data = bytes.Clone(data)
	var list []host.QueueSend
	for len(data) > 0 {
		if len(data) < messageHead || len(list) == kv.MaxBatch {
			return nil, host.Errorf(host.CodeInvalid, "the messages are malformed, or more than %d", kv.MaxBatch)
		}
		kind, size := binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint32(data[4:])
		delay := int64(binary.LittleEndian.Uint64(data[8:]))
		if data = data[messageHead:]; uint64(size) > uint64(len(data)) || kind >= uint32(len(contentTypes)) {
			return nil, host.Errorf(host.CodeInvalid, "message %d is malformed: it has %d bytes of %d, and the content type %d", len(list), size, len(data), kind)
		}
		list = append(list, host.QueueSend{ContentType: contentTypes[kind], Body: data[:size:size], Delay: delayOf(delay)})
		data = data[size:]
	}
	return list, host.CheckSend(list)
}

// maxMessages is the largest encoding of messages that is read, in bytes.
const maxMessages = kv.MaxBatchBytes + kv.MaxBatch*messageHead

func queueSend(g abi.Guest, a abi.Args) int64 {
	p, badHandle := get[producer](g, a.U32(0))
	if badHandle != nil {
		return failed(g, badHandle)
	}
	data := g.Bytes(a.U32(1), a.U32(2))
	if len(data) > maxMessages {
		return failed(g, host.Errorf(host.CodeTooLarge, "messages of %d bytes exceed the limit of %d", len(data), kv.MaxBatchBytes))
	}
	list, err := messagesOf(data)
	if err != nil {
		return failed(g, err)
	}
	size := len(data)
	if err := g.Hold(size); err != nil {
		return failed(g, err)
	}
	op := &kvOp{store: "queue", name: "send"}
	result := begin(g, op, func(ctx context.Context) {
		op.err = p.to.Send(ctx, list)
		g.Release(size)
	})
	if result < 0 {
		g.Release(size)
	}
	return result
}

func queueBacklog(g abi.Guest, a abi.Args) int64 {
	p, badHandle := get[producer](g, a.U32(0))
	if badHandle != nil {
		return failed(g, badHandle)
	}
	op := &kvOp{store: "queue", name: "metrics"}
	return begin(g, op, func(ctx context.Context) { op.backlog, op.err = p.to.Backlog(ctx) })
}

func backlogNumber(of func(host.QueueBacklog) int64) func(abi.Guest, abi.Args) int64 {
	return func(g abi.Guest, a abi.Args) int64 {
		op, err := kvResult(g, a.U32(0))
		if err != nil {
			return failed(g, err)
		}
		return of(op.backlog)
	}
}
