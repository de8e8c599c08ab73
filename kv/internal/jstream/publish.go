package jstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Headers of messages that are stored together or not at all, with sequences one
// after the other. (Source: ADR-50 of nats-architecture-and-design.)
const (
	batchIDHeader     = "Nats-Batch-Id"
	batchSeqHeader    = "Nats-Batch-Sequence"
	batchCommitHeader = "Nats-Batch-Commit"
)

// Codes of the server about messages. (Source: server/errors.json of nats-server.)
const (
	codeNotNow     jetstream.ErrorCode = 10008 // JetStream system temporarily unavailable
	codeNotLeader  jetstream.ErrorCode = 10009
	codeInProcess  jetstream.ErrorCode = 10158 // the same message is being stored
	codeIncomplete jetstream.ErrorCode = 10176 // some messages of a batch did not come
	codeTooMany    jetstream.ErrorCode = 10210 // batches are under way

	CodeDuplicate jetstream.ErrorCode = 10201 // a batch has the id of a message that is stored
)

// Passing is what a server says when nothing was stored, and it may be soon.
func Passing(code jetstream.ErrorCode) bool {
	switch code {
	case codeInProcess, codeNotNow, codeNotLeader, codeIncomplete, codeTooMany:
		return true
	}
	return false
}

// Publish sends messages once, at least one, that a stream stores together or not at all,
// and returns the sequence of the last one. What is wrong with one is said of that.
func Publish(ctx context.Context, conn *nats.Conn, messages []*nats.Msg) (uint64, error) {
	batch, end := nuid.Next(), len(messages)-1
	for i, m := range messages[:end] {
		m.Header.Set(batchIDHeader, batch)
		m.Header.Set(batchSeqHeader, strconv.Itoa(i+1))
		if err := conn.PublishMsg(m); err != nil {
			return 0, err
		}
	}
	m := messages[end]
	if end > 0 {
		m.Header.Set(batchIDHeader, batch)
		m.Header.Set(batchSeqHeader, strconv.Itoa(end+1))
		m.Header.Set(batchCommitHeader, "1")
	}
	reply, err := conn.RequestMsgWithContext(ctx, m)
	if err != nil {
		return 0, err
	}
	return sequenceOf(reply.Data)
}

// sequenceOf reads what a server answers to a message.
func sequenceOf(reply []byte) (uint64, error) {
	var ack struct {
		Error    *jetstream.APIError `json:"error"`
		Sequence uint64              `json:"seq"`
	}
	if err := json.Unmarshal(reply, &ack); err != nil {
		return 0, fmt.Errorf("read acknowledgement: %w", err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	if ack.Sequence == 0 {
		return 0, errors.New("read acknowledgement: it has no sequence")
	}
	return ack.Sequence, nil
}
