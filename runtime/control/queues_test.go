package control_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/kv/storequeue"
)

const queues = "/accounts/local/queues"

type queueAnswer struct {
	ID        string `json:"queue_id"`
	Name      string `json:"queue_name"`
	Producers []struct{ Script string }
	Consumers []struct {
		ID              string `json:"consumer_id"`
		Type            string
		ScriptName      string `json:"script_name"`
		DeadLetterQueue string `json:"dead_letter_queue"`
		Settings        map[string]int64
	}
	Settings struct {
		Delay     int64 `json:"delivery_delay"`
		Paused    bool  `json:"delivery_paused"`
		Retention int64 `json:"message_retention_period"`
	}
}

func (f *fixture) queue(t *testing.T, name string) (q queueAnswer, path string) {
	t.Helper()
	f.ok(t, call{method: "POST", path: queues, body: `{"queue_name":"` + name + `"}`}, &q)
	return q, queues + "/" + q.ID
}

func TestQueues(t *testing.T) {
	f := newFixture(t, options{})
	q, path := f.queue(t, "jobs")
	if len(q.ID) != 32 || q.Settings.Retention != 345_600 {
		t.Errorf("got %+v", q)
	}
	f.queue(t, "mail")
	f.refused(t, call{method: "POST", path: queues, body: `{"queue_name":"jobs"}`}, 409, 11009, `queue "jobs" already exists in account local`)
	f.refused(t, call{method: "POST", path: queues, body: `{"queue_name":"A b"}`}, 400, 10400, `a queue's name "A b" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`)
	f.refused(t, call{method: "POST", path: queues, body: `{}`}, 400, 10400, `queue_name is missing`)
	f.refused(t, call{method: "POST", path: queues, body: `{"queue_name":"a","settings":{"message_retention_period":59}}`}, 400, 10400, `message_retention_period: a retention of 59 seconds is out of range: 60 to 1209600 are allowed`)
	f.refused(t, call{method: "PATCH", path: path, body: `{"settings":{"delivery_delay":86401}}`}, 400, 10400, `delivery_delay: a delay of 86401 seconds is out of range: 0 to 86400 are allowed`)
	f.refused(t, call{method: "PUT", path: path, body: `{"queue_name":"other"}`}, 400, 10400, `queue "jobs" keeps its name, by which Functions are bound to it; make another queue`)

	f.ok(t, call{method: "PATCH", path: path, body: `{"queue_name":"jobs","settings":{"delivery_paused":true}}`}, &q)
	f.ok(t, call{method: "PUT", path: path, body: `{"settings":{"delivery_delay":7,"message_retention_period":60}}`}, &q)
	if q.Settings.Delay != 7 || !q.Settings.Paused || q.Settings.Retention != 60 {
		t.Errorf("got %+v", q)
	}
	var list []queueAnswer
	if a := f.ok(t, call{method: "GET", path: queues + "?page=1&name=mail"}, &list); len(list) != 1 || list[0].Name != "mail" || a.envelope.Info.TotalCount != 1 {
		t.Errorf("got %+v", list)
	}
	// As wrangler asks for all queues of a manifest.
	if f.ok(t, call{method: "GET", path: queues + "?name=mail&name=jobs&name=none&page=1"}, &list); len(list) != 2 || list[1].Name != "mail" {
		t.Errorf("got %+v, want both that were named", list)
	}
	if f.ok(t, call{method: "GET", path: queues}, &list); len(list) != 2 || list[0].Name != "jobs" {
		t.Errorf("got %+v", list)
	}
	f.ok(t, call{method: "DELETE", path: path}, nil)
	f.refused(t, call{method: "GET", path: path}, 404, 11000, `queue "`+q.ID+`" does not exist in account local`)
	f.refused(t, call{method: "POST", path: path + "/messages", body: `{"body":1}`}, 404, 10104, `queue "`+q.ID+`" does not exist in account local`)
	f.refused(t, call{method: "POST", path: path + "/consumers", body: `{"type":"http_pull"}`}, 404, 11000, `queue "`+q.ID+`" does not exist in account local`)
	f.queue(t, "jobs") // which is another one
}

func TestQueueBindings(t *testing.T) {
	f := newFixture(t, options{})
	deploy := upload(t, "local", "shop", `{"main_module":"main.wasm","bindings":[{"type":"queue","name":"JOBS","queue_name":"jobs","delivery_delay":5}]}`, guest(1))
	f.refused(t, deploy, 400, 10021, `queue binding "JOBS": queue "jobs" does not exist in account local; make it with: mayfly queues create jobs`)
	q, path := f.queue(t, "jobs")
	f.ok(t, deploy, nil)
	a := f.ok(t, call{method: "GET", path: "/accounts/local/workers/scripts/shop/settings"}, nil)
	if !strings.Contains(a.body, `{"type":"queue","name":"JOBS","queue_name":"jobs","delivery_delay":5}`) {
		t.Errorf("settings: %s", a.body)
	}
	if f.ok(t, call{method: "GET", path: path}, &q); len(q.Producers) != 1 || q.Producers[0].Script != "shop" {
		t.Errorf("got %+v", q)
	}
	f.refused(t, call{method: "DELETE", path: path}, 409, 10409, `Function shop sends to queue "jobs"; deploy it without, or delete it, first`)
	f.ok(t, call{method: "DELETE", path: "/accounts/local/workers/scripts/shop"}, nil)
	f.ok(t, call{method: "DELETE", path: path}, nil)
}

func TestQueueConsumers(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "worker", `{"main_module":"main.wasm"}`, consuming()), nil)
	f.ok(t, upload(t, "local", "plain", `{"main_module":"main.wasm"}`, guest(1)), nil)
	q, path := f.queue(t, "jobs")
	consumers := path + "/consumers"
	f.refused(t, call{method: "POST", path: consumers, body: `{"script_name":"nobody"}`}, 400, 10400, `the consumer of queue "jobs": Function "nobody" does not exist in account local; deploy it first`)
	f.refused(t, call{method: "POST", path: consumers, body: `{"script_name":"plain"}`}, 400, 11001, `Function plain can't be the consumer of queue "jobs", because it has no queue handler: export queue(batch, env, ctx) in JavaScript, call mayfly.HandleQueue in Go`)
	f.refused(t, call{method: "POST", path: consumers, body: `{"script_name":"worker","settings":{"batch_size":101}}`}, 400, 10400, `max_batch_size is 101; it is 1 to 100`)
	f.refused(t, call{method: "POST", path: consumers, body: `{"script_name":"worker","dead_letter_queue":"jobs"}`}, 400, 10400, `queue "jobs" can't be its own dead letter queue`)
	f.refused(t, call{method: "POST", path: consumers, body: `{"type":"pull"}`}, 400, 10400, `the type of a consumer is "worker" or "http_pull", not "pull"`)
	f.ok(t, call{method: "POST", path: consumers, body: `{"type":"worker","script_name":"worker","environment_name":"","dead_letter_queue":"dead","settings":{"batch_size":3,"max_retries":0,"max_wait_time_ms":2500,"max_concurrency":null}}`}, nil)
	f.refused(t, call{method: "POST", path: consumers, body: `{"type":"http_pull"}`}, 409, 11004, `queue "jobs" has a consumer already, Function worker; remove it first`)
	f.ok(t, call{method: "GET", path: path}, &q)
	want := map[string]int64{"batch_size": 3, "max_retries": 0, "max_wait_time_ms": 3000}
	if len(q.Consumers) != 1 || q.Consumers[0].ScriptName != "worker" || q.Consumers[0].DeadLetterQueue != "dead" || !reflect.DeepEqual(q.Consumers[0].Settings, want) {
		t.Fatalf("got %+v", q)
	}
	if a := f.ok(t, call{method: "GET", path: queues + "?name=dead"}, nil); !strings.Contains(a.body, `"queue_name":"dead"`) {
		t.Errorf("the dead letter queue is not there: %s", a.body)
	}
	checkHandlers(t, f)
	one := consumers + "/" + q.Consumers[0].ID
	f.refused(t, call{method: "PUT", path: consumers + "/none", body: `{"script_name":"worker"}`}, 404, 10404, `queue "jobs" has no consumer "none"`)
	f.ok(t, call{method: "PUT", path: one, body: `{"script_name":"worker","settings":{"retry_delay":9}}`}, nil)
	f.ok(t, call{method: "GET", path: one}, &q.Consumers[0])
	if q.Consumers[0].Settings["retry_delay"] != 9 || q.Consumers[0].Settings["batch_size"] != 10 {
		t.Errorf("got %+v", q.Consumers[0])
	}
	f.ok(t, call{method: "DELETE", path: "/accounts/local/workers/scripts/worker"}, nil)
	var list []json.RawMessage
	if f.ok(t, call{method: "GET", path: consumers}, &list); len(list) != 0 {
		t.Errorf("the deleted Function consumes: %s", list)
	}
}

// checkHandlers: the consumer of a queue keeps its handler, which the API tells of.
func checkHandlers(t *testing.T, f *fixture) {
	t.Helper()
	const no = `Function worker is the consumer of queue "jobs", and this version has no queue handler: export queue(batch, env, ctx) in JavaScript, call mayfly.HandleQueue in Go; or remove the consumer first`
	f.refused(t, upload(t, "local", "worker", `{"main_module":"main.wasm"}`, guest(2)), 400, 11001, no)
	f.refused(t, upload(t, "local", "new", `{"main_module":"main.wasm","mayfly":{"handlers":["fetch","kv"]}}`, guest(2)), 400, 10021,
		"the module has no kv handler, which a KV trigger needs: export kv(event, env, ctx) in JavaScript, call mayfly.HandleKV in Go")
	f.refused(t, upload(t, "local", "new", `{"main_module":"main.wasm","mayfly":{"handlers":["email"]}}`, guest(2)), 400, 10021,
		`"email" is no handler: there are fetch, scheduled, queue and kv`)
	var scripts []struct {
		ID       string
		Handlers []string
	}
	f.ok(t, call{method: "GET", path: "/accounts/local/workers/scripts"}, &scripts)
	for _, s := range scripts {
		if got, want := strings.Join(s.Handlers, " "), map[string]string{"worker": "fetch queue", "plain": "fetch"}[s.ID]; got != want {
			t.Errorf("%s handles %s, want %s", s.ID, got, want)
		}
	}
}

type pulled struct {
	Messages []struct {
		ID, Body string
		LeaseID  string `json:"lease_id"`
		Attempts int
		Metadata map[string]string
	}
	Backlog int `json:"message_backlog_count"`
}

func TestQueueMessages(t *testing.T) {
	f := newFixture(t, options{})
	_, path := f.queue(t, "jobs")
	post := func(what, body string) call { return call{method: "POST", path: path + "/messages" + what, body: body} }
	f.refused(t, post("/pull", `{}`), 409, 10409, `queue "jobs" has no HTTP pull consumer; add one with: mayfly queues consumer http add jobs`)
	f.ok(t, call{method: "POST", path: path + "/consumers", body: `{"type":"http_pull","dead_letter_queue":"dead","settings":{"max_retries":1}}`}, nil)
	for _, tt := range []struct{ what, body, msg string }{
		{"", `{"body":`, `the body is not the JSON expected here: unexpected EOF`},
		{"", `{"body":1,"content_type":"text"}`, `the body of a message of the type text is a string`},
		{"", `{"body":"!","content_type":"bytes"}`, `the body of a message of the type bytes is base64: illegal base64 data at input byte 0`},
		{"", `{"body":1,"content_type":"v8"}`, `the content_type of a message is json, text or bytes, not "v8"`},
		{"", `{"content_type":"text"}`, `a message has no body`},
		{"", `{"body":1,"delay_seconds":1.5}`, `delay_seconds is 1.5; a whole number from 0 to 86400 is expected`},
		{"/pull", `{"batch_size":101}`, `batch_size is 101; it is 1 to 100`},
		{"/pull", `{"visibility_timeout":1}`, `visibility_timeout_ms is 1; it is 1000 to 43200000`},
		{"/pull", `{"visibility_timeout_ms":1}`, `visibility_timeout_ms is 1; it is 1000 to 43200000`},
		{"/ack", `{"retries":[{"lease_id":"x","delay_seconds":-1}]}`, `delay_seconds is -1; a whole number from 0 to 86400 is expected`},
	} {
		f.refused(t, post(tt.what, tt.body), 400, 10207, tt.msg)
	}
	f.refused(t, post("/batch", `{"messages":[]}`), 400, 10206, "there is no message to send")
	f.refused(t, post("/batch", `{"messages":[`+strings.Repeat(`{"body":1},`, 100)+`{"body":1}]}`), 413, 10206, "batch message count of 101 exceeds limit of 100")
	f.refused(t, post("/batch", `{"messages":[`+strings.Repeat(`{"body":"`+strings.Repeat("x", 100_000)+`"},`, 2)+`{"body":"`+strings.Repeat("x", 100_000)+`"}]}`), 413, 10205, "total batch size of 300006 bytes exceeds limit of 256000")
	f.refused(t, post("", fmt.Sprintf(`{"body":"%s","content_type":"text"}`, strings.Repeat("x", 128_001))), 413, 10204, "message length of 128001 bytes exceeds limit of 128000")

	f.ok(t, post("", `{"body":{ "a": 1 }}`), nil)
	f.ok(t, post("/batch", `{"messages":[{"body":"hey","content_type":"text"},{"body":"AAH/","content_type":"bytes"},{"body":"later","content_type":"text","delay_seconds":3600}]}`), nil)
	var got pulled
	f.ok(t, post("/pull", `{"batch_size":10,"visibility_timeout_ms":60000}`), &got)
	bodies := map[string]string{}
	for _, m := range got.Messages {
		bodies[m.Metadata["CF-Content-Type"]] = m.Body
	}
	want := map[string]string{"json": base64.StdEncoding.EncodeToString([]byte(`{"a":1}`)), "text": "hey", "bytes": "AAH/"}
	if !reflect.DeepEqual(bodies, want) || got.Backlog != 4 {
		t.Fatalf("got %+v, want %v", got, want)
	}
	a := f.ok(t, post("/ack", fmt.Sprintf(`{"acks":[{"lease_id":%q},{"lease_id":"x"}],"retries":[{"lease_id":%q},{"lease_id":%q,"delay_seconds":0}]}`, got.Messages[0].LeaseID, got.Messages[1].LeaseID, got.Messages[2].LeaseID)), nil)
	if !strings.Contains(a.body, `"ackCount":1,"retryCount":2,"warnings":{"x":`) {
		t.Errorf("got %s", a.body)
	}
	if f.ok(t, post("/pull", `{}`), &got); len(got.Messages) != 2 || got.Messages[0].Attempts != 2 {
		t.Errorf("got %+v", got)
	}
}

// What is pulled too often goes to the dead letter queue.
func TestQueuePulledTooOften(t *testing.T) {
	f := newFixture(t, options{})
	q, path := f.queue(t, "jobs")
	f.ok(t, call{method: "POST", path: path + "/consumers", body: `{"type":"http_pull","dead_letter_queue":"dead","settings":{"max_retries":0}}`}, nil)
	f.ok(t, call{method: "POST", path: path + "/messages", body: `{"body":1}`}, nil)
	var got pulled
	f.ok(t, call{method: "POST", path: path + "/messages/pull", body: `{}`}, &got)
	f.ok(t, call{method: "POST", path: path + "/messages/ack", body: `{"retries":[{"lease_id":"` + got.Messages[0].LeaseID + `"}]}`}, nil)
	if f.ok(t, call{method: "POST", path: path + "/messages/pull", body: `{}`}, &got); len(got.Messages) != 0 || got.Backlog != 0 {
		t.Errorf("got %+v", got)
	}
	var dead []queueAnswer
	f.ok(t, call{method: "GET", path: queues + "?name=dead"}, &dead)
	if a := f.ok(t, call{method: "GET", path: queues + "/" + dead[0].ID + "/metrics"}, nil); !strings.Contains(a.body, `"backlog_count":1,"backlog_bytes":1,`) {
		t.Errorf("got %s", a.body)
	}
	f.refused(t, call{method: "POST", path: queues + "/" + dead[0].ID + "/purge", body: `{}`}, 400, 10400, "a purge removes all messages for good: say so with delete_messages_permanently")
	f.ok(t, call{method: "POST", path: queues + "/" + dead[0].ID + "/purge", body: `{"delete_messages_permanently":true}`}, nil)
	if a := f.ok(t, call{method: "GET", path: queues + "/" + dead[0].ID + "/metrics"}, nil); !strings.Contains(a.body, `"backlog_count":0,`) {
		t.Errorf("got %s", a.body)
	}
	f.ok(t, call{method: "PATCH", path: path, body: `{"settings":{"delivery_paused":true}}`}, &q)
	f.ok(t, call{method: "POST", path: path + "/messages", body: `{"body":2}`}, nil)
	if f.ok(t, call{method: "POST", path: path + "/messages/pull", body: `{}`}, &got); len(got.Messages) != 0 || got.Backlog != 1 {
		t.Errorf("a queue that is paused gave %+v", got)
	}
}

// uncounted are queues that can't say what waits in them.
type uncounted struct{ kv.Queues }

func (uncounted) Stats(context.Context, kv.Queue) (kv.QueueStats, error) {
	return kv.QueueStats{}, kv.ErrUnavailable
}

// Messages that were put on lease are given out, also where it can't be said how many
// others wait.
func TestQueuePullWithoutBacklog(t *testing.T) {
	f := newFixture(t, options{queues: func(q kv.Queues) kv.Queues { return uncounted{q} }})
	_, path := f.queue(t, "jobs")
	f.ok(t, call{method: "POST", path: path + "/consumers", body: `{"type":"http_pull"}`}, nil)
	f.ok(t, call{method: "POST", path: path + "/messages", body: `{"body":1}`}, nil)
	var got pulled
	if f.ok(t, call{method: "POST", path: path + "/messages/pull", body: `{}`}, &got); len(got.Messages) != 1 || got.Backlog != 1 {
		t.Errorf("got %+v", got)
	}
}

// An account whose messages that programs have pulled are as many as may be gets no more,
// and is told so.
func TestQueuePullBounded(t *testing.T) {
	store := memkv.New(memkv.Config{})
	t.Cleanup(func() { store.Close() })
	few, err := storequeue.Open(t.Context(), storequeue.Config{Store: store, AccountLeased: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { few.Close() })
	f := newFixture(t, options{queues: func(kv.Queues) kv.Queues { return few }})
	var got pulled
	for _, name := range []string{"jobs", "mails"} {
		_, path := f.queue(t, name)
		f.ok(t, call{method: "POST", path: path + "/consumers", body: `{"type":"http_pull"}`}, nil)
		f.ok(t, call{method: "POST", path: path + "/messages/batch", body: `{"messages":[{"body":1},{"body":2},{"body":3}]}`}, nil)
		switch name {
		case "jobs":
			f.ok(t, call{method: "POST", path: path + "/messages/pull", body: `{"batch_size":3}`}, &got)
		case "mails":
			f.refused(t, call{method: "POST", path: path + "/messages/pull", body: `{}`}, 429, 10250,
				"3 messages of the account are on lease, and no more are leased beyond 3: acknowledge some or give them back, wait until leases end, or purge a queue")
		}
	}
}
