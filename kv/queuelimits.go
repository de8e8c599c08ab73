package kv

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What queues take, as on Cloudflare:
// https://developers.cloudflare.com/queues/platform/limits/
const (
	MaxMessage       = 128_000 // bytes of a body
	MaxBatch         = 100     // messages in one Send or one Receive
	MaxBatchBytes    = 256_000 // bytes of the bodies in one Send or one Receive
	MaxDelay         = 24 * time.Hour
	MaxLease         = 12 * time.Hour
	DefaultRetention = 4 * 24 * time.Hour
	MinRetention     = time.Minute
	MaxRetention     = 14 * 24 * time.Hour
)

// MaxLeased is how many messages of an account are on lease when no more are leased to
// those whose Receive is Bounded: 500 batches. In a cluster each node counts those that
// were received from it.
const MaxLeased = 50_000

// Codes of errors about queues. (Source:
// https://developers.cloudflare.com/queues/reference/error-codes/)
const (
	codeMetadata   = 10203 // a content type or a delay
	codeMessage    = 10204 // the size of a message
	codeBatchBytes = 10205
	codeBatchCount = 10206
	codeOverloaded = 10250
	codeStorage    = 10251
)

func queueLimit(code, status int, format string, args ...any) error {
	return &LimitError{Status: status, Code: code, Msg: fmt.Sprintf(format, args...)}
}

// CheckMessages returns a *LimitError unless the messages may be sent together. The
// texts about sizes are those of miniflare, in cloudflare/workers-sdk.
func CheckMessages(messages []Message) error {
	if len(messages) == 0 {
		return queueLimit(codeBatchCount, http.StatusBadRequest, "there is no message to send")
	}
	if len(messages) > MaxBatch {
		return queueLimit(codeBatchCount, http.StatusRequestEntityTooLarge, "batch message count of %d exceeds limit of %d", len(messages), MaxBatch)
	}
	total := 0
	for _, m := range messages {
		total += len(m.Body)
		if err := m.Check(); err != nil {
			return err
		}
	}
	if total > MaxBatchBytes {
		return queueLimit(codeBatchBytes, http.StatusRequestEntityTooLarge, "total batch size of %d bytes exceeds limit of %d", total, MaxBatchBytes)
	}
	return nil
}

// Check returns a *LimitError unless the message may be sent.
func (m Message) Check() error {
	if len(m.Body) > MaxMessage {
		return queueLimit(codeMessage, http.StatusRequestEntityTooLarge, "message length of %d bytes exceeds limit of %d", len(m.Body), MaxMessage)
	}
	switch m.ContentType {
	case ContentJSON, ContentText, ContentBytes, ContentV8:
	default:
		return queueLimit(codeMetadata, http.StatusBadRequest, "the content type of a message is json, text, bytes or v8, not %q", m.ContentType)
	}
	return CheckDelay(m.Delay)
}

// CheckDelay returns a *LimitError unless a message may be delayed by d.
func CheckDelay(d time.Duration) error {
	if d < 0 || d > MaxDelay {
		return queueLimit(codeMetadata, http.StatusBadRequest, "a delay of %g seconds is out of range: 0 to %d are allowed", d.Seconds(), MaxDelay/time.Second)
	}
	return nil
}

// CheckRetention returns a *LimitError unless messages may be kept for d.
func CheckRetention(d time.Duration) error {
	if d < MinRetention || d > MaxRetention {
		return limitError(http.StatusBadRequest, "a retention of %g seconds is out of range: %d to %d are allowed", d.Seconds(), MinRetention/time.Second, MaxRetention/time.Second)
	}
	return nil
}

// CheckSend is CheckMessages and CheckRetention, and returns the options with what they
// are by default.
func CheckSend(messages []Message, opts SendOptions) (SendOptions, error) {
	if opts.Retention == 0 {
		opts.Retention = DefaultRetention
	}
	if err := CheckMessages(messages); err != nil {
		return opts, err
	}
	return opts, CheckRetention(opts.Retention)
}

// Full is the *LimitError of a Send for which there is no room. scope is "queue" or
// "account".
func Full(scope string, bytes, most int64) error {
	return queueLimit(codeStorage, http.StatusTooManyRequests, "the %s has %d bytes of messages that wait, and may have %d: have consumers take some, or purge a queue", scope, bytes, most)
}

// Leased is the *LimitError of a Receive that is Bounded.
func Leased(has, most int64) error {
	return queueLimit(codeOverloaded, http.StatusTooManyRequests, "%d messages of the account are on lease, and no more are leased beyond %d: acknowledge some or give them back, wait until leases end, or purge a queue", has, most)
}

// CheckQueue panics unless q names a queue: such names are the node's own.
func CheckQueue(q Queue) {
	if !IsQueue(q) {
		panic("kv: no name of a queue: " + q.Account + "/" + q.ID)
	}
}

// IsQueue says whether q names a queue.
func IsQueue(q Queue) bool { return isQueueName(q.Account) && isQueueName(q.ID) }

func isQueueName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// CheckReceive returns a *LimitError for options out of range.
func CheckReceive(opts ReceiveOptions) error {
	if opts.Max < 1 || opts.Max > MaxBatch {
		return limitError(http.StatusBadRequest, "a batch of %d messages is out of range: 1 to %d are allowed", opts.Max, MaxBatch)
	}
	if opts.Lease < time.Second || opts.Lease > MaxLease {
		return limitError(http.StatusBadRequest, "a visibility timeout of %d ms is out of range: 1000 to %d are allowed", opts.Lease.Milliseconds(), MaxLease.Milliseconds())
	}
	return nil
}
