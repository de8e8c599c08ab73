package runtime_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
)

// batchOf is a batch of what was sent.
func batchOf(sent ...host.QueueSend) *host.QueueBatch {
	b := &host.QueueBatch{Queue: "q", Backlog: host.QueueBacklog{Messages: 9}}
	for i, m := range sent {
		b.Messages = append(b.Messages, host.QueueMessage{ID: fmt.Sprint("id-", i), Sent: due, Attempts: i + 1, ContentType: m.ContentType, Body: m.Body})
	}
	return b
}

func text(bodies ...string) *host.QueueBatch {
	var list []host.QueueSend
	for _, b := range bodies {
		list = append(list, host.QueueSend{ContentType: kv.ContentText, Body: []byte(b)})
	}
	return batchOf(list...)
}

// send sends an event, and returns with the result what was logged.
func send(t *testing.T, s *runtime.Snapshot, set func(*host.Call)) (r result, log string) {
	t.Helper()
	if !s.Use() {
		t.Fatal("the snapshot was closed")
	}
	r.Recorder = new(hosttest.Recorder)
	c := begin(t, r.Recorder, "/__event", host.Limits{})
	set(c)
	r.invoke(s, c)
	for _, e := range c.Services.Log.(*hosttest.Log).Entries() {
		log += e.Text + "\n"
	}
	if r.err != nil {
		log += r.err.Error() + "\n"
	}
	if r.Answers > 0 {
		t.Errorf("there was an answer: %+v", r.Recorder)
	}
	return r, log
}

func batched(b *host.QueueBatch) func(*host.Call) {
	return func(c *host.Call) { c.Trigger, c.Queue = host.TriggerQueue, b }
}

// decisions are what becomes of the messages, as text.
func decisions(b *host.QueueBatch, well bool) (text string) {
	for i := range b.Messages {
		switch d := b.Decision(i, well); {
		case !d.Retry:
			text += "ack "
		case d.Delay == host.NoDelay:
			text += "retry "
		default:
			text += fmt.Sprintf("retry:%v ", d.Delay)
		}
	}
	return strings.TrimSpace(text)
}

// Workers get batches of queues and changes of KV, in each engine, which compiles
// JavaScript once for all of them.
func TestEventWorkers(t *testing.T) {
	everyEngine(t, func(t *testing.T, r *runtime.Runtime) {
		t.Run("queue", func(t *testing.T) { queueWorkers(t, r) })
		t.Run("content types", func(t *testing.T) { contentTypes(t, r) })
		t.Run("kv", func(t *testing.T) { kvWorkers(t, r) })
		t.Run("many keys", func(t *testing.T) { manyKeys(t, r) })
		t.Run("handlers", func(t *testing.T) { workerHandlers(t, r) })
	})
}

func queueWorkers(t *testing.T, r *runtime.Runtime) {
	cases := []struct {
		name, source string
		outcome      host.Outcome
		decisions    string
		want         string // in the log
	}{
		{"all is well", `export default { async queue(batch, env, ctx) {
			const { backlogCount, oldestMessageTimestamp } = batch.metadata.metrics;
			console.log(batch.queue, batch.messages.length, backlogCount, oldestMessageTimestamp);
			for (const m of batch.messages) console.log(m.id, m.timestamp.toISOString(), m.attempts, m.body);
		} };`, host.OutcomeOK, "ack ack ack", "q 3 9 undefined\nid-0 2026-11-26T05:00:00.000Z 1 a\nid-1 2026-11-26T05:00:00.000Z 2 b\n"},
		{"throws", `export default { queue(batch) { batch.messages[1].ack(); throw new Error("halfway"); } };`, host.OutcomeException, "retry ack retry", "Error: halfway"},
		{"rejects later", `export default { queue(b, e, ctx) { ctx.waitUntil(Promise.reject(new Error("behind"))); } };`, host.OutcomeException, "retry retry retry", "Error: behind"},
		{"retries", `export default { queue(b) { b.messages[0].retry(); b.messages[2].retry({ delaySeconds: 60 }); } };`, host.OutcomeOK, "retry ack retry:1m0s", ""},
		{"retries all", `export default { queue(b) { b.retryAll({ delaySeconds: 5 }); } };`, host.OutcomeOK, "retry:5s retry:5s retry:5s", ""},
		{"acks all, and throws", `export default { queue(b) { b.ackAll(); throw 1; } };`, host.OutcomeException, "ack ack ack", ""},
		{"bad delay", `export default { queue(b) { for (const delaySeconds of [86401, -1, 1e12]) try { b.messages[0].retry({ delaySeconds }); } catch (e) { console.log(e.name, e.message); } } };`,
			host.OutcomeOK, "ack ack ack", "TypeError"},
		{"says two things", `export default { queue(b) {
			const [one, two, three] = b.messages;
			one.ack(); one.retry(); two.retry(); two.ack(); b.retryAll(); b.ackAll(); three.ack(); three.retry();
		} };`, host.OutcomeOK, "ack retry retry", `Received a call to retry() on message id-0 after ack() was already called. Calling retry() on a message after calling ack() has no effect.
Received a call to ack() on message id-1 after retry() was already called. Calling ack() on a message after calling retry() has no effect.
Received a call to ackAll() after retryAll() was already called. Calling ackAll() after calling retryAll() has no effect.
Received a call to ack() on message id-2 after retryAll() was already called. Calling ack() on a message after calling retryAll() has no effect.
`},
		{"says two things of all", `export default { queue(b) { b.ackAll(); b.retryAll(); b.messages[0].retry(); b.messages[1].ack(); } };`, host.OutcomeOK, "ack ack ack",
			"Received a call to retryAll() after ackAll() was already called. Calling retryAll() after calling ackAll() has no effect.\n" +
				"Received a call to retry() on message id-0 after ackAll() was already called. Calling retry() on a message after calling ackAll() has no effect.\n"},
		{"hangs", `export default { queue() { return new Promise(() => {}) } };`, host.OutcomeException, "retry retry retry", "what its queue handler waits for never comes"},
		{"no handler", `export default { fetch() {} };`, host.OutcomeException, "retry retry retry", "Handler does not export a queue() function."},
		{"script", `addEventListener("queue", e => { console.log(e.type, e.queue, e.messages[1].body); e.messages[0].retry(); e.waitUntil(Promise.resolve()); });`, host.OutcomeOK, "retry ack ack", "queue q b"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			batch := text("a", "b", "c")
			got, log := send(t, mustPrepare(t, mustLoad(t, r, scheduledProgram(t, tt.source)), host.Limits{}), batched(batch))
			if d := decisions(batch, got.outcome == host.OutcomeOK); got.outcome != tt.outcome || d != tt.decisions || !strings.Contains(log, tt.want) {
				t.Errorf("got %v, %s, logged %q", got.outcome, d, log)
			}
		})
	}
}

// What is sent arrives, in each content type.
func contentTypes(t *testing.T, r *runtime.Runtime) {
	var sending strings.Builder
	for _, v := range v8Vectors {
		fmt.Fprintf(&sending, "      { contentType: 'v8', body: %s },\n", v.value)
	}
	q := new(hosttest.Queue)
	setup := bound(t)
	setup.Bindings.Queues = map[string]host.QueueProducer{"Q": q}
	s, err := mustLoad(t, r, mustProgram(t, module("index.js", `
    export default {
      async fetch(request, env) {
        await env.Q.send({ a: "é" }, { delaySeconds: 7 });
        await env.Q.send("text", { contentType: "TEXT" });
        await env.Q.send(new Uint8Array([1, 2, 255]), { contentType: "bytes" });
        await env.Q.sendBatch([`+sending.String()+`], { delaySeconds: 1 });
        return new Response();
      },
      queue(batch) {
        for (const { body } of batch.messages.slice(0, 3)) console.log(body instanceof ArrayBuffer ? [...new Uint8Array(body)] : JSON.stringify(body));
        const want = [`+sending.String()+`];
        for (const [i, { body }] of batch.messages.slice(3).entries()) compare(body, want[i].body, String(i), new Map());
      },
    };
    function compare(a, b, at, seen) {
      if (Object.is(a, b) || seen.get(a) === b && b !== undefined) return;
      seen.set(a, b);
      const differ = () => { throw new Error(at + ": " + typeof a + " is not " + typeof b); };
      if (typeof a !== "object" || typeof b !== "object" || !a || !b || a.constructor !== b.constructor) differ();
      if (String(a) !== String(b) || a.valueOf() !== a && a.valueOf() !== b.valueOf()) differ();
      const parts = v => v instanceof ArrayBuffer ? [...new Uint8Array(v)] : v instanceof DataView ? [v.byteOffset, v.byteLength, v.buffer]
        : ArrayBuffer.isView(v) ? [...v, v.byteOffset, v.buffer] : v instanceof Map ? [...v].flat() : v instanceof Set ? [...v] : Object.entries(v).flat();
      const x = parts(a), y = parts(b);
      if (x.length !== y.length) differ();
      x.forEach((v, i) => compare(v, y[i], at + "." + i, seen));
    }`))).Prepare(t.Context(), setup)
	if err != nil || !s.Use() {
		t.Fatal(err)
	}
	got := result{Recorder: new(hosttest.Recorder)}
	c := begin(t, got.Recorder, "/", host.Limits{})
	c.Bindings = setup.Bindings
	if got.invoke(s, c); got.err != nil {
		t.Fatal(got.err)
	}
	for i, m := range q.Sent() {
		switch {
		case i == 0 && (m.ContentType != kv.ContentJSON || string(m.Body) != `{"a":"é"}` || m.Delay != 7*time.Second),
			i == 1 && (m.ContentType != kv.ContentText || string(m.Body) != "text" || m.Delay != host.NoDelay),
			i == 2 && (m.ContentType != kv.ContentBytes || string(m.Body) != "\x01\x02\xff"):
			t.Errorf("message %d: %+v", i, m)
		case i >= 3:
			if v := v8Vectors[i-3]; hex.EncodeToString(m.Body) != v.bytes || m.Delay != time.Second {
				t.Errorf("%s: got %x, %v, want %s", v.value, m.Body, m.Delay, v.bytes)
			}
		}
	}
	out, log := send(t, s, batched(batchOf(q.Sent()...)))
	if out.outcome != host.OutcomeOK || log != "{\"a\":\"é\"}\n\"text\"\n[ 1, 2, 255 ]\n" {
		t.Errorf("got %v, logged %s", out.outcome, log)
	}
}

// Bytes that V8 would not have written throw what structured cloning throws, or are
// read as something.
func TestQueueMalformedV8(t *testing.T) {
	s := mustPrepare(t, mustLoad(t, mustRuntime(t, runtime.Config{}), mustProgram(t, module("index.js", `
    export default { queue(batch) {
      const said = new Set();
      let refused = 0;
      for (const m of batch.messages) {
        try {
          m.body;
        } catch (e) {
          refused++;
          if (e.name !== "DataCloneError") said.add(m.id + " " + e);
        }
      }
      console.log(refused > 1000, [...said].slice(0, 10));
    } };`))), host.Limits{})
	var sent []host.QueueSend
	add := func(body []byte) { sent = append(sent, host.QueueSend{ContentType: kv.ContentV8, Body: body}) }
	add([]byte("\xff\x0fa\xff\xff\xff\xff\x1f@\x00\xff\xff\xff\xff\x1f")) // an array that is longer than any
	for _, v := range v8Vectors {
		whole, err := hex.DecodeString(v.bytes)
		if err != nil {
			t.Fatal(err)
		}
		whole = whole[:min(len(whole), 40)]
		for i := range whole {
			add(whole[:i])
			for _, b := range []byte{0, 0x7f, 0xff, whole[i] + 1, whole[i] ^ 0x20} {
				changed := bytes.Clone(whole)
				changed[i] = b
				add(changed)
			}
		}
	}
	if got, log := send(t, s, batched(batchOf(sent...))); got.outcome != host.OutcomeOK || log != "true []\n" {
		t.Errorf("of %d messages: got %v, logged %s", len(sent), got.outcome, log)
	}
}

// Many keys are one operation.
func manyKeys(t *testing.T, r *runtime.Runtime) {
	setup := bound(t)
	s, err := mustLoad(t, r, mustProgram(t, worker(`
    await env.STORE.put("k7", "seven", { metadata: 7 });
    for (const key of ["a", "b"]) await env.STORE.put(key, new Uint8Array(13 << 20));
    const keys = Array.from({ length: 100 }, (_, i) => "k" + i);
    let found;
    for (let i = 0; i < 12; i++) found = await env.STORE.getWithMetadata(keys);
    const { value, metadata } = found.get("k7");
    const error = await env.STORE.get(["a", "b"]).catch(e => e.message);
    return new Response([found.size, value, metadata, found.get("k8").value, error].join());`))).Prepare(t.Context(), setup)
	if err != nil || !s.Use() {
		t.Fatal(err)
	}
	got := result{Recorder: new(hosttest.Recorder)}
	c := begin(t, got.Recorder, "/", host.Limits{})
	c.Bindings = setup.Bindings
	got.invoke(s, c)
	if want := "100,seven,7,,KV GET_BULK failed: 413 Total size of request exceeds the limit of 25MB"; string(got.Body) != want || got.usage.KVOperations != 16 {
		t.Errorf("got %s, %v, %d operations, want %s", got.Body, got.err, got.usage.KVOperations, want)
	}
}

// What a Worker handles is known once it is loaded.
func workerHandlers(t *testing.T, r *runtime.Runtime) {
	for source, want := range map[string]string{
		`export default { fetch() {}, queue() {} }`:      "fetch queue",
		`export default { scheduled() {}, kv() {} }`:     "scheduled kv",
		`addEventListener("queue", () => {})`:            "queue",
		`export default class { static queue() {} }`:     "queue",
		`export default { queue: 1, fetch: () => null }`: "fetch",
	} {
		s := mustPrepare(t, mustLoad(t, r, scheduledProgram(t, source)), host.Limits{})
		if got := strings.Join(s.Handles().Names(), " "); got != want && s.Initialized {
			t.Errorf("%s: got %s, want %s", source, got, want)
		}
	}
	if got := mustPrepare(t, mustLoad(t, r, hello("hello")), host.Limits{}).Handles(); got != host.HandlesFetch {
		t.Errorf("a module: got %s", got.Names())
	}
}

func kvWorkers(t *testing.T, r *runtime.Runtime) {
	change := host.KVChange{Namespace: "ns", Binding: "STORE", Key: "k", Revision: 7, OldRevision: 3, Value: []byte(`{"n":"é"}`), Size: 10,
		Metadata: []byte(`{"m":1}`), Expires: due, Time: due, Attempt: 2}
	removed := host.KVChange{Namespace: "ns", Key: "k", Deleted: true, Revision: 8, OldRevision: 7, Time: due, Attempt: 1}
	omitted := host.KVChange{Namespace: "ns", Key: "k", Omitted: true, Size: 1 << 20, Revision: 9, Time: due, Attempt: 1}
	cases := []struct {
		name, source string
		change       host.KVChange
		outcome      host.Outcome
		want         string
	}{
		{"put", `export default { async kv(e, env, ctx) {
			console.log(e.type, e.namespaceId, e.binding, e.key, e.operation, e.oldRevision, e.revision, e.size, e.metadata.m, e.expiration, e.timestamp.toISOString(), e.attempts);
			console.log(await e.text(), (await e.json()).n, (await e.arrayBuffer()).byteLength);
		} };`, change, host.OutcomeOK, "kv ns STORE k put 3 7 10 1 1795669200 2026-11-26T05:00:00.000Z 2\n{\"n\":\"é\"} é 10\n"},
		{"delete", `export default { async kv(e) { console.log(e.operation, e.binding, e.metadata, e.expiration, await e.text(), await e.json()); } };`, removed, host.OutcomeOK, "delete null null undefined null null\n"},
		{"too large", `export default { async kv(e) { console.log(e.size); await e.text(); } };`, omitted, host.OutcomeException, "A value of 1048576 bytes is not part of its event"},
		{"throws", `export default { kv() { throw new Error("no") } };`, change, host.OutcomeException, "Error: no"},
		{"hangs", `export default { kv() { return new Promise(() => {}) } };`, change, host.OutcomeException, "what its kv handler waits for never comes"},
		{"no handler", `export default { fetch() {} };`, change, host.OutcomeException, "Handler does not export a kv() function."},
		{"script", `addEventListener("kv", e => e.waitUntil(e.text().then(console.log)));`, change, host.OutcomeOK, "é"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			s := mustPrepare(t, mustLoad(t, r, scheduledProgram(t, tt.source)), host.Limits{})
			got, log := send(t, s, func(c *host.Call) { c.Trigger, c.Change = host.TriggerKV, &tt.change })
			if got.outcome != tt.outcome || !strings.Contains(log, tt.want) {
				t.Errorf("got %v, logged %q", got.outcome, log)
			}
		})
	}
}

// v8Vectors are values and what the serializer of V8 (node 20: new v8.Serializer) makes
// of them.
var v8Vectors = []struct{ value, bytes string }{
	{`null`, "ff0f30"},
	{`true`, "ff0f54"},
	{`-1`, "ff0f4901"},
	{`2147483648`, "ff0f4e000000000000e041"},
	{`-0`, "ff0f4e0000000000000080"},
	{`1.5`, "ff0f4e000000000000f83f"},
	{`NaN`, "ff0f4e000000000000f87f"},
	{`"abc"`, "ff0f2203616263"},
	{`"é"`, "ff0f2201e9"},
	{`"日本"`, "ff0f6304e5652c67"},
	{`["日本", "x日"]`, "ff0f41026304e5652c6763047800e565240002"},
	{`0n`, "ff0f5a00"},
	{`-(2n ** 70n)`, "ff0f5a2100000000000000004000000000000000"},
	{`{a: 1, b: {c: [1, 2]}}`, "ff0f6f22016149022201626f2201634102490249042400027b017b02"},
	{`{10: "ten", x: 1}`, "ff0f6f4914220374656e22017849027b02"},
	{`[1, , 3]`, "ff0f61034900490249044906400203"},
	{`Object.assign([1], {p: 2})`, "ff0f410149022201704904240101"},
	{`new Date(1e12)`, "ff0f44000000a2941a6d42"},
	{`/a+/gi`, "ff0f522202612b03"},
	{`new Map([["k", 1], [2, {}]])`, "ff0f3b22016b490249046f7b003a04"},
	{`new Set([1, "x"])`, "ff0f2749022201782c02"},
	{`new Uint8Array([1, 2, 3])`, "ff0f42030102035642000300"},
	{`new Uint16Array([1, 2, 3]).subarray(1)`, "ff0f42060100020003005657020400"},
	{`new DataView(new ArrayBuffer(3), 1)`, "ff0f4203000000563f010200"},
	{`new Uint8Array([1]).buffer`, "ff0f420101"},
	{`(o => (o.self = o, o))({})`, "ff0f6f220473656c665e007b01"},
	{`(a => [a, a])({})`, "ff0f41026f7b005e01240002"},
	{`(b => [new Uint8Array(b), new Int8Array(b, 1), b])(new ArrayBuffer(2))`, "ff0f41034202000056420002005e0156620101005e01240003"},
	{`Object(true)`, "ff0f79"},
	{`Object(5)`, "ff0f6e0000000000001440"},
	{`Object("s")`, "ff0f73220173"},
	{`Object(7n)`, "ff0f7a100700000000000000"},
	{`{u: undefined, n: null, big: 12345678901}`, "ff0f6f2201755f22016e3022036269674e0000a8e1e0fe06427b03"},
	{`"x".repeat(200)`, "ff0f22c8017878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"},
}
