package mayfly

import (
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// ContentType says what the body of a message is.
type ContentType uint8

// The content types of messages, with Cloudflare's names in String.
const (
	ContentJSON ContentType = iota
	ContentText
	ContentBytes
	ContentV8 // V8's serialisation, which only Workers in JavaScript write and read
)

// String is the name that Workers in JavaScript and the API have for it.
func (c ContentType) String() string {
	switch c {
	case ContentJSON:
		return "json"
	case ContentText:
		return "text"
	case ContentBytes:
		return "bytes"
	}
	return "v8"
}

// Producer sends messages to a queue.
type Producer struct{ binding string }

// Queue returns the queue that the configuration binds to a name:
//
//	[[queues.producers]]
//	binding = "JOBS"
//	queue = "jobs"
//
// If there is no such binding, each operation fails with [ErrDenied]. The result
// may be kept in a package variable.
func Queue(binding string) Producer { return Producer{binding} }

// Outgoing is a message to be sent. Body has at most 128,000 bytes.
type Outgoing struct {
	ContentType ContentType // ContentJSON where it is not set
	Body        []byte
	// Delay is how long the message waits before it is given to a consumer, at most 12
	// hours, in milliseconds at the finest. 0 is what the binding or the queue says, and
	// a negative number no delay.
	Delay time.Duration
}

// JSONMessage is a message of JSON, encoded already.
func JSONMessage(body []byte) Outgoing { return Outgoing{ContentType: ContentJSON, Body: body} }

// TextMessage is a message of text.
func TextMessage(body string) Outgoing { return Outgoing{ContentType: ContentText, Body: []byte(body)} }

// BytesMessage is a message of bytes.
func BytesMessage(body []byte) Outgoing { return Outgoing{ContentType: ContentBytes, Body: body} }

// After is the message with a delay.
func (o Outgoing) After(delay time.Duration) Outgoing {
	o.Delay = delay
	return o
}

// Send sends messages: at most 100, of 256,000 bytes together. When it returns nil, all
// of them are stored for good; otherwise some may be.
func (p Producer) Send(messages ...Outgoing) error {
	to, err := host.OpenQueue(p.binding)
	if err != nil {
		return p.unopened(err)
	}
	list := make([]host.Outgoing, 0, len(messages))
	for _, m := range messages {
		list = append(list, host.Outgoing{Type: uint32(m.ContentType), Body: m.Body, Delay: delayOf(m.Delay)})
	}
	return fail("queue send", to.Send(list))
}

// delayOf is a delay as the node takes it.
func delayOf(d time.Duration) int64 {
	switch {
	case d < 0:
		return 0
	case d == 0:
		return host.NoDelay
	}
	return max(1, d.Milliseconds())
}

// Backlog is what waits in a queue.
type Backlog struct {
	Messages int64
	Bytes    int64     // of their bodies
	Oldest   time.Time // when the oldest was sent; zero if there is none
}

func backlogOf(b host.Backlog) Backlog {
	if b.Oldest == 0 {
		return Backlog{Messages: b.Messages, Bytes: b.Bytes}
	}
	return Backlog{b.Messages, b.Bytes, time.UnixMilli(b.Oldest).UTC()}
}

// Backlog asks what waits in the queue.
func (p Producer) Backlog() (Backlog, error) {
	to, err := host.OpenQueue(p.binding)
	if err != nil {
		return Backlog{}, p.unopened(err)
	}
	b, err := to.Backlog()
	return backlogOf(b), fail("queue backlog", err)
}

func (p Producer) unopened(err error) error { return fail("queue "+p.binding, unbound(err)) }
