package control

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// Pulls give messages to programs that ask for them.
type Pulls interface {
	// Pull leases messages. 0 stands for the settings of the consumer.
	Pull(ctx context.Context, q deploy.Queue, most int, visibility time.Duration) ([]kv.Delivery, error)
	// Settle ends leases, but for those that are over.
	Settle(ctx context.Context, q deploy.Queue, list []kv.Settlement) (stale []string, err error)
}

// maxMessages is the longest body with messages, in bytes: as much as may be sent
// together, in base64 or with everything escaped.
const maxMessages = 2 << 20

// messageJSON is a message that is sent: a text, any JSON, or bytes in base64.
type messageJSON struct {
	Body         json.RawMessage  `json:"body"`
	ContentType  kv.ContentType   `json:"content_type"` // default: json
	DelaySeconds *json.RawMessage `json:"delay_seconds"`
}

func (m *messageJSON) message() (out host.QueueSend, err error) {
	out = host.QueueSend{ContentType: m.ContentType, Delay: host.NoDelay}
	if len(m.Body) == 0 {
		return out, badRequest("a message has no body")
	}
	if out.Delay, err = delayOf(m.DelaySeconds); err != nil {
		return out, err
	}
	var text string
	switch m.ContentType {
	case "", kv.ContentJSON:
		var compact bytes.Buffer
		if err := json.Compact(&compact, m.Body); err != nil {
			return out, jsonError(err)
		}
		out.ContentType, out.Body = kv.ContentJSON, compact.Bytes()
		return out, nil
	case kv.ContentText, kv.ContentBytes:
		if json.Unmarshal(m.Body, &text) != nil {
			return out, badRequest("the body of a message of the type %s is a string", m.ContentType)
		}
	default:
		return out, badRequest("the content_type of a message is json, text or bytes, not %q", m.ContentType)
	}
	if out.Body = []byte(text); m.ContentType == kv.ContentBytes {
		if out.Body, err = base64.StdEncoding.DecodeString(text); err != nil {
			return out, badRequest("the body of a message of the type bytes is base64: %v", err)
		}
	}
	return out, nil
}

// delayOf reads a delay, host.NoDelay for none.
func delayOf(text *json.RawMessage) (time.Duration, error) {
	if text == nil || string(*text) == "null" {
		return host.NoDelay, nil
	}
	var seconds int64
	if err := json.Unmarshal(*text, &seconds); err != nil || seconds < 0 || seconds > int64(kv.MaxDelay/time.Second) {
		return 0, badRequest("delay_seconds is %s; a whole number from 0 to %d is expected", *text, kv.MaxDelay/time.Second)
	}
	return time.Duration(seconds) * time.Second, nil
}

func pushMessage(r *request) error {
	var in messageJSON
	if err := r.readJSON(maxMessages, &in); err != nil {
		return err
	}
	return r.push([]messageJSON{in}, host.NoDelay)
}

func pushMessages(r *request) error {
	var in struct {
		Messages     []messageJSON    `json:"messages"`
		DelaySeconds *json.RawMessage `json:"delay_seconds"`
	}
	if err := r.readJSON(maxMessages, &in); err != nil {
		return err
	}
	delay, err := delayOf(in.DelaySeconds)
	if err != nil {
		return err
	}
	return r.push(in.Messages, delay)
}

// push sends messages, with a delay for those that have none.
func (r *request) push(in []messageJSON, delay time.Duration) error {
	q, err := r.queue()
	if err != nil {
		return err
	}
	var list []host.QueueSend
	for _, m := range in {
		out, err := m.message()
		if err != nil {
			return err
		}
		if out.Delay == host.NoDelay {
			out.Delay = delay
		}
		list = append(list, out)
	}
	ids, err := r.api.registry.Send(r.Context(), q, list)
	if err != nil {
		return err
	}
	return r.ok(map[string]any{"message_ids": ids})
}

// pulls is the queue in the path, and what pulls from it.
func (r *request) pulls() (deploy.Queue, Pulls, error) {
	q, err := r.queue()
	if err == nil && r.api.cfg.Pull == nil {
		err = host.Errorf(host.CodeUnsupported, "this node gives out no messages")
	}
	return q, r.api.cfg.Pull, err
}

// pulledJSON is a message that was pulled. As on Cloudflare, its body is a text, or
// base64 for all other types.
type pulledJSON struct {
	ID          string            `json:"id"`
	Body        string            `json:"body"`
	TimestampMS int64             `json:"timestamp_ms"`
	Attempts    int               `json:"attempts"`
	LeaseID     string            `json:"lease_id"`
	Metadata    map[string]string `json:"metadata"`
}

func pulledOf(d kv.Delivery) pulledJSON {
	out := pulledJSON{ID: d.ID, Body: string(d.Body), TimestampMS: d.Sent.UnixMilli(), Attempts: d.Attempts, LeaseID: d.Lease,
		Metadata: map[string]string{"CF-Content-Type": string(d.ContentType)}}
	if d.ContentType != kv.ContentText {
		out.Body = base64.StdEncoding.EncodeToString(d.Body)
	}
	return out
}

func pullMessages(r *request) error {
	var in struct {
		BatchSize    *int   `json:"batch_size"`
		VisibilityMS *int64 `json:"visibility_timeout_ms"`
		Visibility   *int64 `json:"visibility_timeout"` // the same, as in Cloudflare's guide
	}
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	q, pulls, err := r.pulls()
	if err != nil {
		return err
	}
	most, visibility := 0, time.Duration(0)
	if n := in.BatchSize; n != nil {
		if most = *n; most < 1 || most > kv.MaxBatch {
			return badRequest("batch_size is %d; it is 1 to %d", most, kv.MaxBatch)
		}
	}
	if n := cmp.Or(in.VisibilityMS, in.Visibility); n != nil {
		if *n < 1000 || *n > kv.MaxLease.Milliseconds() {
			return badRequest("visibility_timeout_ms is %d; it is 1000 to %d", *n, kv.MaxLease.Milliseconds())
		}
		visibility = time.Duration(*n) * time.Millisecond
	}
	list, err := pulls.Pull(r.Context(), q, most, visibility)
	if err != nil {
		return err
	}
	backlog, err := r.api.registry.Backlog(r.Context(), q)
	if err != nil { // the messages are on lease, and an attempt: they are given out all the same
		r.api.cfg.Logger.Warn("how many messages wait is not known", "request", r.id, "account", q.Account, "queue", q.Name, "err", err)
		backlog.Messages = int64(len(list))
	}
	messages := []pulledJSON{}
	for _, d := range list {
		messages = append(messages, pulledOf(d))
	}
	return r.ok(map[string]any{"messages": messages, "message_backlog_count": backlog.Messages})
}

// ackJSON are leases that are to end.
type ackJSON struct {
	Acks    []leaseJSON `json:"acks"`
	Retries []leaseJSON `json:"retries"`
}

type leaseJSON struct {
	LeaseID      string           `json:"lease_id"`
	DelaySeconds *json.RawMessage `json:"delay_seconds"`
}

func (in *ackJSON) settlements() (list []kv.Settlement, err error) {
	for _, l := range in.Acks {
		list = append(list, kv.Settlement{Lease: l.LeaseID})
	}
	for _, l := range in.Retries {
		delay, err := delayOf(l.DelaySeconds)
		if err != nil {
			return nil, err
		}
		list = append(list, kv.Settlement{Lease: l.LeaseID, Retry: true, Delay: delay})
	}
	return list, nil
}

func ackMessages(r *request) error {
	var in ackJSON
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	q, pulls, err := r.pulls()
	if err != nil {
		return err
	}
	list, err := in.settlements()
	if err != nil {
		return err
	}
	stale, err := pulls.Settle(r.Context(), q, list)
	if err != nil {
		return err
	}
	acks, retries, warnings, isAck := len(in.Acks), len(in.Retries), map[string]string{}, map[string]bool{}
	for _, l := range in.Acks {
		isAck[l.LeaseID] = true
	}
	for _, lease := range stale {
		warnings[lease] = "the lease is over: the message may have been delivered again"
		if isAck[lease] {
			acks--
		} else {
			retries--
		}
	}
	return r.ok(map[string]any{"ackCount": acks, "retryCount": retries, "warnings": warnings})
}
