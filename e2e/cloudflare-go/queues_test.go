package sdk_test

import (
	"testing"

	cloudflare "github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/queues"
)

// mustQueue makes a queue that programs pull from, and returns its id.
func mustQueue(t *testing.T, c *cloudflare.Client, name string) string {
	t.Helper()
	q, err := c.Queues.New(t.Context(), queues.QueueNewParams{AccountID: cloudflare.F(account), QueueName: cloudflare.F(name)})
	if err != nil || q.QueueName != name || q.QueueID == "" {
		t.Fatalf("got %+v, %v", q, err)
	}
	consumer, err := c.Queues.Consumers.New(t.Context(), q.QueueID, queues.ConsumerNewParams{AccountID: cloudflare.F(account), Body: queues.ConsumerNewParamsBodyMqHTTPConsumerRequest{
		Type:     cloudflare.F(queues.ConsumerNewParamsBodyMqHTTPConsumerRequestTypeHTTPPull),
		Settings: cloudflare.F(queues.ConsumerNewParamsBodyMqHTTPConsumerRequestSettings{MaxRetries: cloudflare.F(5.0), VisibilityTimeoutMs: cloudflare.F(60_000.0)})}})
	if err != nil || consumer.ConsumerID == "" || string(consumer.Type) != "http_pull" {
		t.Fatalf("got %+v, %v", consumer, err)
	}
	return q.QueueID
}

func testQueues(t *testing.T, n node) {
	c := n.client(n.token)
	id := mustQueue(t, c, "jobs")
	all, err := c.Queues.List(t.Context(), queues.QueueListParams{AccountID: cloudflare.F(account)})
	if err != nil || len(all.Result) != 1 || all.Result[0].QueueName != "jobs" || all.Result[0].ConsumersTotalCount != 1 {
		t.Errorf("got %+v, %v", all, err)
	}
	got, err := c.Queues.Get(t.Context(), id, queues.QueueGetParams{AccountID: cloudflare.F(account)})
	if err != nil || got.QueueID != id || len(got.Consumers) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	edited, err := c.Queues.Edit(t.Context(), id, queues.QueueEditParams{AccountID: cloudflare.F(account), Queue: queues.QueueParam{
		Settings: cloudflare.F(queues.QueueSettingsParam{DeliveryDelay: cloudflare.F(1.0), DeliveryPaused: cloudflare.F(false)})}})
	if err != nil || edited.Settings.DeliveryDelay != 1 {
		t.Errorf("got %+v, %v", edited, err)
	}
	consumers, err := c.Queues.Consumers.List(t.Context(), id, queues.ConsumerListParams{AccountID: cloudflare.F(account)})
	if err != nil || len(consumers.Result) != 1 {
		t.Fatalf("got %+v, %v", consumers, err)
	}
	if _, err := c.Queues.Consumers.Delete(t.Context(), id, consumers.Result[0].ConsumerID, queues.ConsumerDeleteParams{AccountID: cloudflare.F(account)}); err != nil {
		t.Error(err)
	}
	if _, err := c.Queues.Delete(t.Context(), id, queues.QueueDeleteParams{AccountID: cloudflare.F(account)}); err != nil {
		t.Error(err)
	}
	if _, err := c.Queues.Get(t.Context(), id, queues.QueueGetParams{AccountID: cloudflare.F(account)}); err == nil {
		t.Error("the queue is still there")
	}
}

func testMessages(t *testing.T, n node) {
	c := n.client(n.token)
	id := mustQueue(t, c, "jobs")
	_, err := c.Queues.Messages.Push(t.Context(), id, queues.MessagePushParams{AccountID: cloudflare.F(account), Body: queues.MessagePushParamsBodyMqQueueMessageText{
		Body: cloudflare.F("one"), ContentType: cloudflare.F(queues.MessagePushParamsBodyMqQueueMessageTextContentTypeText)}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Queues.Messages.BulkPush(t.Context(), id, queues.MessageBulkPushParams{AccountID: cloudflare.F(account), Messages: cloudflare.F([]queues.MessageBulkPushParamsMessageUnion{
		queues.MessageBulkPushParamsMessagesMqQueueMessageJson{Body: cloudflare.F[any](map[string]int{"n": 2}), ContentType: cloudflare.F(queues.MessageBulkPushParamsMessagesMqQueueMessageJsonContentTypeJson)},
	})})
	if err != nil {
		t.Fatal(err)
	}
	pull := func() *queues.MessagePullResponse {
		t.Helper()
		got, err := c.Queues.Messages.Pull(t.Context(), id, queues.MessagePullParams{AccountID: cloudflare.F(account), BatchSize: cloudflare.F(10.0), VisibilityTimeoutMs: cloudflare.F(3_600_000.0)})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := pull()
	if len(got.Messages) != 2 || len(pull().Messages) != 0 {
		t.Fatalf("got %+v", got.Messages)
	}
	for _, m := range got.Messages {
		if m.LeaseID == "" || m.ID == "" || m.Attempts != 1 || m.TimestampMs == 0 {
			t.Errorf("got %+v", m)
		}
	}
	done, err := c.Queues.Messages.Ack(t.Context(), id, queues.MessageAckParams{AccountID: cloudflare.F(account),
		Acks:    cloudflare.F([]queues.MessageAckParamsAck{{LeaseID: cloudflare.F(got.Messages[0].LeaseID)}}),
		Retries: cloudflare.F([]queues.MessageAckParamsRetry{{LeaseID: cloudflare.F(got.Messages[1].LeaseID), DelaySeconds: cloudflare.F(0.0)}})})
	if err != nil || done.AckCount != 1 || done.RetryCount != 1 {
		t.Errorf("got %+v, %v", done, err)
	}
	if again := pull(); len(again.Messages) != 1 || again.Messages[0].ID != got.Messages[1].ID || again.Messages[0].Attempts != 2 {
		t.Errorf("got %+v", again.Messages)
	}
	if _, err := c.Queues.Purge.Start(t.Context(), id, queues.PurgeStartParams{AccountID: cloudflare.F(account), DeleteMessagesPermanently: cloudflare.F(true)}); err != nil {
		t.Error(err)
	}
}
