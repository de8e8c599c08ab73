package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Queue is a queue of the account.
type Queue struct {
	ID         string        `json:"queue_id"`
	Name       string        `json:"queue_name"`
	CreatedOn  time.Time     `json:"created_on,omitzero"`
	ModifiedOn time.Time     `json:"modified_on,omitzero"`
	Producers  []Producer    `json:"producers"`
	Consumers  []Consumer    `json:"consumers"`
	Settings   QueueSettings `json:"settings"`
}

// Producer is a Function that sends to a queue.
type Producer struct {
	Type   string `json:"type"`
	Script string `json:"script"`
}

// QueueSettings are those of a queue; nil is not sent, and stays.
type QueueSettings struct {
	DeliveryDelay   *int64 `json:"delivery_delay,omitempty"` // seconds
	DeliveryPaused  *bool  `json:"delivery_paused,omitempty"`
	RetentionPeriod *int64 `json:"message_retention_period,omitempty"` // seconds
}

// Consumer is who gets the messages of a queue.
type Consumer struct {
	ID              string           `json:"consumer_id,omitempty"`
	Type            string           `json:"type"` // worker or http_pull
	Script          string           `json:"script_name,omitempty"`
	DeadLetterQueue string           `json:"dead_letter_queue,omitempty"`
	Settings        ConsumerSettings `json:"settings"`
}

// ConsumerSettings say how messages are given to a consumer; nil is the default.
type ConsumerSettings struct {
	BatchSize           *int64 `json:"batch_size,omitempty"`
	MaxRetries          *int64 `json:"max_retries,omitempty"`
	MaxWaitMillis       *int64 `json:"max_wait_time_ms,omitempty"`
	MaxConcurrency      *int64 `json:"max_concurrency,omitempty"`
	RetryDelay          *int64 `json:"retry_delay,omitempty"` // seconds
	VisibilityTimeoutMS *int64 `json:"visibility_timeout_ms,omitempty"`
}

// QueueMetrics is what waits in a queue.
type QueueMetrics struct {
	Count  int64 `json:"backlog_count"`
	Bytes  int64 `json:"backlog_bytes"`
	Oldest int64 `json:"oldest_message_timestamp_ms"` // since 1970; 0 if there is none
}

// QueueMessage is a message that is sent. Body is a string for all content types but
// json; of bytes it is base64.
type QueueMessage struct {
	Body         any    `json:"body"`
	ContentType  string `json:"content_type"`
	DelaySeconds *int64 `json:"delay_seconds,omitempty"`
}

// Pulled is a message on lease. Body is base64, but for texts.
type Pulled struct {
	ID          string            `json:"id"`
	LeaseID     string            `json:"lease_id"`
	Attempts    int               `json:"attempts"`
	TimestampMS int64             `json:"timestamp_ms"`
	Body        string            `json:"body"`
	Metadata    map[string]string `json:"metadata"`
}

func (c *Client) queue(elements ...string) string {
	return c.account(append([]string{"queues"}, elements...)...)
}

// Queues lists the account's queues.
func (c *Client) Queues(ctx context.Context) ([]Queue, error) {
	return pages[Queue](ctx, c, c.queue())
}

// Queue finds a queue by its name.
func (c *Client) Queue(ctx context.Context, name string) (q Queue, err error) {
	var list []Queue
	if _, err := c.send(ctx, http.MethodGet, c.queue()+"?"+url.Values{"name": {name}}.Encode(), nil, &list); err != nil {
		return q, err
	}
	if len(list) == 0 {
		return q, &Error{http.StatusNotFound, []Message{{Message: fmt.Sprintf("queue %q does not exist; make it with: mayfly queues create %s", name, name)}}}
	}
	return list[0], nil
}

// queueBody is what makes and changes queues.
type queueBody struct {
	Name     string        `json:"queue_name"`
	Settings QueueSettings `json:"settings"`
}

// CreateQueue makes a queue.
func (c *Client) CreateQueue(ctx context.Context, name string, s QueueSettings) (q Queue, err error) {
	_, err = c.send(ctx, http.MethodPost, c.queue(), queueBody{name, s}, &q)
	return q, err
}

// SetQueue changes the settings of a queue.
func (c *Client) SetQueue(ctx context.Context, q Queue, s QueueSettings) (changed Queue, err error) {
	_, err = c.send(ctx, http.MethodPatch, c.queue(q.ID), queueBody{q.Name, s}, &changed)
	return changed, err
}

// DeleteQueue removes a queue with its messages.
func (c *Client) DeleteQueue(ctx context.Context, id string) error {
	_, err := c.send(ctx, http.MethodDelete, c.queue(id), nil, nil)
	return err
}

// PurgeQueue removes the messages of a queue.
func (c *Client) PurgeQueue(ctx context.Context, id string) error {
	_, err := c.send(ctx, http.MethodPost, c.queue(id, "purge"), map[string]bool{"delete_messages_permanently": true}, nil)
	return err
}

// QueueMetrics says what waits in a queue.
func (c *Client) QueueMetrics(ctx context.Context, id string) (m QueueMetrics, err error) {
	_, err = c.send(ctx, http.MethodGet, c.queue(id, "metrics"), nil, &m)
	return m, err
}

// AddConsumer gives a queue its consumer.
func (c *Client) AddConsumer(ctx context.Context, queue string, consumer Consumer) (made Consumer, err error) {
	_, err = c.send(ctx, http.MethodPost, c.queue(queue, "consumers"), consumer, &made)
	return made, err
}

// SetConsumer replaces the consumer of a queue that has the ID.
func (c *Client) SetConsumer(ctx context.Context, queue string, consumer Consumer) (made Consumer, err error) {
	_, err = c.send(ctx, http.MethodPut, c.queue(queue, "consumers", consumer.ID), consumer, &made)
	return made, err
}

// RemoveConsumer takes the consumer from a queue.
func (c *Client) RemoveConsumer(ctx context.Context, queue, id string) error {
	_, err := c.send(ctx, http.MethodDelete, c.queue(queue, "consumers", id), nil, nil)
	return err
}

// SendMessages puts messages into a queue, and returns their ids.
func (c *Client) SendMessages(ctx context.Context, queue string, list []QueueMessage) ([]string, error) {
	var out struct {
		IDs []string `json:"message_ids"`
	}
	_, err := c.send(ctx, http.MethodPost, c.queue(queue, "messages", "batch"), map[string]any{"messages": list}, &out)
	return out.IDs, err
}

// PullMessages leases messages. What is 0 is as the consumer's settings have it.
func (c *Client) PullMessages(ctx context.Context, queue string, most, visibilityMS int64) ([]Pulled, error) {
	in := map[string]int64{}
	if most > 0 {
		in["batch_size"] = most
	}
	if visibilityMS > 0 {
		in["visibility_timeout_ms"] = visibilityMS
	}
	var out struct {
		Messages []Pulled `json:"messages"`
	}
	_, err := c.send(ctx, http.MethodPost, c.queue(queue, "messages", "pull"), in, &out)
	return out.Messages, err
}

// AckMessages acknowledges messages by their leases, and returns how many that were.
func (c *Client) AckMessages(ctx context.Context, queue string, leases []string) (int, error) {
	type lease struct {
		ID string `json:"lease_id"`
	}
	acks := []lease{}
	for _, id := range leases {
		acks = append(acks, lease{id})
	}
	var out struct {
		Acks int `json:"ackCount"`
	}
	_, err := c.send(ctx, http.MethodPost, c.queue(queue, "messages", "ack"), map[string]any{"acks": acks}, &out)
	return out.Acks, err
}

// Text is the body of a message as it was sent.
func (p Pulled) Text() ([]byte, error) {
	if p.Metadata["CF-Content-Type"] == "text" {
		return []byte(p.Body), nil
	}
	var body []byte
	quoted, err := json.Marshal(p.Body)
	if err == nil {
		err = json.Unmarshal(quoted, &body) // of base64, as JSON has it
	}
	return body, err
}
