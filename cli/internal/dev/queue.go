package dev

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/trigger"
	"github.com/valyala/fasthttp"
)

// queuePath is where a message is given to the Function by hand, beside what its queues
// give to it.
const queuePath = "/__queue"

// interceptQueue gives the Function a batch of one message, if that is asked for: the
// body of the request.
func (s *Session) interceptQueue(ctx *fasthttp.RequestCtx) bool {
	if string(ctx.Path()) != queuePath || !ctx.IsPost() {
		return false
	}
	b := &host.QueueBatch{Queue: string(ctx.QueryArgs().Peek("queue"))}
	m, err := messageOf(ctx)
	if err == nil && b.Queue == "" {
		err = errors.New("say which queue: POST /__queue?queue=NAME, with the body of the message")
	}
	if err != nil {
		ctx.Error(err.Error()+"\n", fasthttp.StatusBadRequest)
		return true
	}
	b.Messages = []host.QueueMessage{m}
	ran, err := s.queue(ctx, s.name, b)
	answerQueue(ctx, b, ran, err)
	return true
}

// messageOf is the message in a request: of the content type that it says, or JSON if
// it is that, or text.
func messageOf(ctx *fasthttp.RequestCtx) (host.QueueMessage, error) {
	m := host.QueueMessage{ID: rand.Text(), Sent: time.Now(), Attempts: 1, Body: bytes.Clone(ctx.PostBody())}
	m.ContentType = kv.ContentType(ctx.QueryArgs().Peek("content_type"))
	if m.ContentType == "" {
		m.ContentType = kv.ContentText
		if json.Valid(m.Body) {
			m.ContentType = kv.ContentJSON
		}
	}
	return m, kv.CheckMessages([]kv.Message{{ContentType: m.ContentType, Body: m.Body}})
}

// answerQueue says how it went.
func answerQueue(ctx *fasthttp.RequestCtx, b *host.QueueBatch, ran trigger.Ran, err error) {
	if err != nil {
		ctx.Error(err.Error()+"\n", fasthttp.StatusBadRequest)
		return
	}
	well, fate := ran.Outcome == host.OutcomeOK, "acknowledged"
	if d := b.Decision(0, well); d.Retry && d.Delay > 0 {
		fate = "to be retried after " + d.Delay.String()
	} else if d.Retry {
		fate = "to be retried"
	}
	if !well {
		ctx.Error("Queue event failed: "+ran.Outcome.String()+": "+ran.Err.Error()+"\nThe message is "+fate+"\n", fasthttp.StatusInternalServerError)
		return
	}
	ctx.SetBodyString("Ran queue event: the message is " + fate + "\n")
}
