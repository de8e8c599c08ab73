package host

// Batch is the batch that is handled.
func Batch() (BatchHead, error) {
	b, err := value(batchHead)
	if err != nil {
		return BatchHead{}, err
	}
	return ParseBatch(b)
}

// BatchBody is the body of one message.
func BatchBody(message int) ([]byte, error) {
	return value(func(buf *byte, size uint32) int32 { return batchBody(uint32(message), buf, size) })
}

func Ack(message int) error                { return failure(int64(batchAck(uint32(message)))) }
func Retry(message int, delay int64) error { return failure(int64(batchRetry(uint32(message), delay))) }
func AckAll() error                        { return failure(int64(batchAckAll())) }
func RetryAll(delay int64) error           { return failure(int64(batchRetryAll(delay))) }

// Change is the change that is handled.
func Change() (ChangeHead, error) {
	b, err := value(changeHead)
	if err != nil {
		return ChangeHead{}, err
	}
	return ParseChange(b)
}

// ChangeValue is what was written.
func ChangeValue() ([]byte, error) { return value(changeValue) }

type queue int32

// openedQueues keeps the handle of each binding: opening again would take another.
var openedQueues = map[string]queue{}

// OpenQueue returns the queue that is bound to a name.
func OpenQueue(binding string) (Queue, error) {
	if q, ok := openedQueues[binding]; ok {
		return q, nil
	}
	h := queueOpen(binding)
	if h < 0 {
		return nil, failure(int64(h))
	}
	openedQueues[binding] = queue(h)
	return queue(h), nil
}

func (q queue) Send(messages []Outgoing) error {
	_, err := q.finish(queueSend(int32(q), view(AppendMessages(nil, messages))), nil)
	return err
}

func (q queue) Backlog() (Backlog, error) {
	return q.finish(queueBacklog(int32(q)), func(op int32) Backlog {
		return Backlog{queueMessages(op), queueBytes(op), queueOldest(op)}
	})
}

// finish waits for op, a handle or a negative code, and reads its result.
func (q queue) finish(op int32, result func(op int32) Backlog) (b Backlog, err error) {
	if op < 0 {
		return b, told(int64(op))
	}
	defer closeHandle(op)
	awaitUnlessAlone(op)
	if err := told(int64(queueStatus(op))); err != nil || result == nil {
		return b, err
	}
	return result(op), nil
}
