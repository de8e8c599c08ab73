import { test, equal, rejects, throws } from "./harness.js";
export { default } from "./harness.js";

test("variables and secrets", (_, env) => {
  equal(env.NAME, "value");
  equal(env.CONFIG.list[1], 2);
  equal(env.A_SECRET, "hidden");
  equal(env.VERSION.id, "1");
  equal(Object.keys(env).includes("A_SECRET"), true);
});

test("get in each type", async (_, env) => {
  await env.STORE.put("key", '{"a": "é"}');
  equal(await env.STORE.get("key"), '{"a": "é"}');
  equal(await env.STORE.get("key", "text"), '{"a": "é"}');
  equal((await env.STORE.get("key", "json")).a, "é");
  equal((await env.STORE.get("key", { type: "json", cacheTtl: 60 })).a, "é");
  equal((await env.STORE.get("key", "arrayBuffer")).byteLength, 11);
  equal(await new Response(await env.STORE.get("key", "stream")).text(), '{"a": "é"}');
  equal((await env.STORE.get("key", { type: "json", consistency: "strong" })).a, "é");
  equal((await env.STORE.get(["key", "none"], { consistency: "strong" })).get("key"), '{"a": "é"}');
  equal((await env.STORE.getWithMetadata("none", { consistency: "strong" })).value, null);
  await rejects(env.STORE.get("key", { consistency: "maybe" }), "TypeError", "Unknown consistency");
  equal(await env.STORE.get("none"), null);
  equal(await env.STORE.get("none", "stream"), null);
  await rejects(env.STORE.get("key", "xml"), "TypeError", "Unknown response type");
});

test("put in each type", async (_, env) => {
  for (const value of ["abc", new Uint8Array([97, 98, 99]), new Uint8Array([97, 98, 99]).buffer, new Blob(["abc"]).stream()]) {
    await env.STORE.put("value", value);
    equal(await env.STORE.get("value"), "abc");
  }
  await rejects(env.STORE.put("value", 1), "TypeError", "KV put() accepts only strings");
  await rejects(env.STORE.put("", "x"), "TypeError", "Key names must not be empty");
  await rejects(env.STORE.put("k".repeat(513), "x"), "Error", "key length limit of 512");
});

test("metadata and expiration", async (_, env) => {
  await env.STORE.put("m", "x", { metadata: { tag: [1] }, expirationTtl: 3600 });
  const { value, metadata } = await env.STORE.getWithMetadata("m");
  equal(value, "x");
  equal(metadata.tag[0], 1);
  const plain = await env.STORE.getWithMetadata("key", "json");
  equal(plain.metadata, null);
  equal(plain.value.a, "é");
  equal((await env.STORE.getWithMetadata("none")).value, null);
  for (const expirationTtl of [-1, 0, NaN, "soon", Infinity]) await rejects(env.STORE.put("m", "x", { expirationTtl }), "TypeError");
  for (const expiration of [1, NaN]) await rejects(env.STORE.put("m", "x", { expiration }), "TypeError");
});

test("list and delete", async (_, env) => {
  await Promise.all([3, 1, 2].map(n => env.STORE.put("list/" + n, "x", { metadata: n, expirationTtl: 60 * n })));
  const all = await env.STORE.list({ prefix: "list/" });
  equal(all.keys.map(k => k.name).join(), "list/1,list/2,list/3");
  equal(all.list_complete, true);
  equal(all.keys[1].metadata, 2);
  equal(all.keys[1].expiration > 0, true);
  const page = await env.STORE.list({ prefix: "list/", limit: 2 });
  equal(page.list_complete, false);
  const rest = await env.STORE.list({ prefix: "list/", cursor: page.cursor });
  equal(rest.keys[0].name, "list/3");
  await env.STORE.delete("list/2");
  await env.STORE.delete("none");
  equal((await env.STORE.list({ prefix: "list/" })).keys.length, 2);
  equal((await env.STORE.get(["list/1", "list/2"])).get("list/2"), null);
});

test("many keys", async (_, env) => {
  await env.STORE.put("many/a", '{"n":1}', { metadata: "x" });
  await env.STORE.put("many/b", "ü");
  const got = await env.STORE.get(["many/a", "many/b", "many/c", "many/a"]);
  equal(JSON.stringify([...got]), JSON.stringify([["many/a", '{"n":1}'], ["many/b", "ü"], ["many/c", null]]));
  equal((await env.STORE.get(["many/a"], { type: "json" })).get("many/a").n, 1);
  const all = await env.STORE.getWithMetadata(["many/a", "many/b", "many/c"], "text");
  equal(all.get("many/a").metadata + all.get("many/b").metadata, "xnull");
  equal(all.get("many/b").value + all.get("many/c").value, "ünull");
  await rejects(env.STORE.get(["many/b"], "json"), "Error", "KV GET_BULK failed: 400 At least one of the requested keys corresponds to a non-json value");
  await rejects(env.STORE.get(["many/b"], "stream"), "Error", 'KV GET_BULK failed: 400 "stream" is not a valid type. Use "json" or "text"');
  await rejects(env.STORE.get([]), "Error", "KV GET_BULK failed: 400 You must request a minimum of 1 key");
  await rejects(env.STORE.get([""]), "TypeError", "Key names must not be empty");
  const keys = Array.from({ length: 100 }, (_, i) => "\u0001".repeat(500) + i);
  equal((await env.STORE.get(keys)).size, 100);
  await rejects(env.STORE.get([...keys, "more"]), "Error", "KV GET_BULK failed: 400 You can request a maximum of 100 keys");
  for (const key of ["many/d", "many/e"]) await env.STORE.put(key, new Uint8Array(13 << 20));
  equal((await env.STORE.get(["many/d", "many/b"])).get("many/d").length, 13 << 20);
  await rejects(env.STORE.get(["many/d", "many/e"]), "Error", "KV GET_BULK failed: 413 Total size of request exceeds the limit of 25MB");
});

test("queue", async (_, env) => {
  const { metadata } = await env.QUEUE.send({ a: 1 });
  equal(metadata.metrics.backlogCount, 1);
  equal(metadata.metrics.backlogBytes, 7);
  equal(metadata.metrics.oldestMessageTimestamp, undefined);
  await env.QUEUE.sendBatch(new Set([{ body: "a" }, { body: "b", contentType: "text", delaySeconds: 1 }]), { delaySeconds: 5 });
  equal((await env.QUEUE.metrics()).backlogCount, 3);
  const { QUEUE } = env;
  await rejects(QUEUE.send(undefined), "TypeError", "Message body cannot be undefined");
  await rejects(QUEUE.send("x", { contentType: "xml" }), "TypeError", "Unsupported queue message content type: xml");
  await rejects(QUEUE.send(1, { contentType: "text" }), "TypeError", 'Content Type "text" requires a value of type string, but received: number');
  await rejects(QUEUE.send("x", { contentType: "bytes" }), "TypeError", 'Content Type "bytes" requires a value of type ArrayBufferView, but received: string');
  await rejects(QUEUE.send(() => {}), "TypeError");
  await rejects(QUEUE.send(() => {}, { contentType: "v8" }), "DataCloneError");
  await rejects(QUEUE.send("x", { delaySeconds: 86401 }), "TypeError", "86400");
  await rejects(QUEUE.send("x".repeat(128_001), { contentType: "text" }), "Error", "Queue send failed: message length of 128001 bytes exceeds limit of 128000");
  await rejects(QUEUE.sendBatch([]), "TypeError", "sendBatch() requires at least one message");
  await rejects(QUEUE.sendBatch(Array(101).fill({ body: 1 })), "Error", "Queue sendBatch failed: batch message count of 101 exceeds limit of 100");
  await rejects(QUEUE.sendBatch(Array(3).fill({ body: "x".repeat(100_000) })), "Error", "Queue sendBatch failed: total batch size of 300006 bytes exceeds limit of 256000");
  equal((await QUEUE.metrics()).backlogCount, 3);
  equal((await env.BLIND.send("x")).metadata.metrics.backlogCount, 0);
  await rejects(env.BLIND.metrics(), "Error", "away");
  await rejects(env.FULL.send("x"), "Error", "Queue send failed: the queue has 10 bytes of messages that wait, and may have 5");
});

test("fetch", async () => {
  const response = await fetch("https://upstream.example/echo?a=1", { method: "PUT", headers: { "X-Custom": "ü" }, body: "content" });
  equal(response.status, 201);
  equal(response.ok, true);
  equal(response.url, "https://upstream.example/echo?a=1");
  equal(response.headers.getSetCookie().join("|"), "a=1|b=2");
  equal(response.headers.get("set-cookie"), "a=1, b=2");
  throws(() => response.headers.set("a", "b"), "TypeError", "immutable");
  const { method, url, header, body } = await response.json();
  equal([method, url, header, body].join(), "PUT,https://upstream.example/echo?a=1,ü,content");
  equal(response.bodyUsed, true);
  await rejects(response.text(), "TypeError", "already been used");
});

test("fetch of a Request, its clone and its stream", async () => {
  const request = new Request("https://upstream.example/echo", { method: "POST", body: new Blob(["from a blob"]).stream() });
  const copy = request.clone();
  equal((await (await fetch(request)).json()).body, "from a blob");
  equal(await copy.text(), "from a blob");
});

test("a request that is passed on", async request => {
  equal(request.redirect, "manual");
  const on = new Request("https://upstream.example/redirect?/echo", new Request("https://b/", { redirect: request.redirect }));
  equal((await fetch(on)).status, 302);
});

test("several at the same time", async () => {
  // Each answers once all three have come in.
  const answers = await Promise.all([1, 2, 3].map(async n => (await fetch("https://upstream.example/barrier?" + n)).text()));
  equal(answers.join(), "met,met,met");
});

test("reads a body in pieces", async () => {
  const response = await fetch("https://upstream.example/long");
  let size = 0, chunks = 0;
  for await (const chunk of response.body) {
    size += chunk.length;
    chunks++;
  }
  equal(size, 1 << 20);
  equal(chunks > 4, true);
});

test("a body through pipes", async () => {
  const response = await fetch("https://upstream.example/long");
  const shouting = new TransformStream({ transform(text, c) { c.enqueue(text.toUpperCase()); }, flush(c) { c.enqueue("!"); } });
  const body = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(shouting).pipeThrough(new TextEncoderStream());
  const text = await new Response(body).text();
  equal(text.length, (1 << 20) + 1);
  equal(text.endsWith("X!"), true);
});

test("redirects", async () => {
  const followed = await fetch("https://upstream.example/redirect?/echo", { headers: { authorization: "x", "x-custom": "y" } });
  equal(followed.redirected, true);
  equal(followed.url, "https://upstream.example/echo");
  const manual = await fetch("https://upstream.example/redirect?/echo", { redirect: "manual" });
  equal(manual.status, 302);
  equal(manual.headers.get("location"), "/echo");
  await rejects(fetch("https://upstream.example/redirect?/echo", { redirect: "error" }), "TypeError", "redirect");
  const see = await fetch("https://upstream.example/see-other", { method: "POST", body: "x" });
  equal((await see.json()).method, "GET");
});

test("failures of fetch", async () => {
  await rejects(fetch("https://down.example/"), "TypeError", "can't be reached");
  await rejects(fetch("not a URL"), "TypeError", "Invalid URL");
  await rejects(fetch("https://upstream.example/", { body: "x" }), "TypeError", "GET or HEAD");
});

test("aborts", async () => {
  await rejects(fetch("https://upstream.example/hang", { signal: AbortSignal.timeout(20) }), "TimeoutError");
  const c = new AbortController();
  const under = fetch("https://upstream.example/hang", { signal: c.signal });
  c.abort();
  await rejects(under, "AbortError");
  await rejects(fetch("https://upstream.example/echo", { signal: AbortSignal.abort(new RangeError("mine")) }), "RangeError", "mine");
});

test("another Function", async (_, env) => {
  equal((await (await env.AUTH.fetch("https://auth/echo", { method: "POST", body: "x" })).json()).body, "x");
});

test("rate limits", async (_, env) => {
  const got = [];
  for (let i = 0; i < 3; i++) got.push((await env.LIMITER.limit({ key: "a" })).success);
  equal(got.join(), "true,true,false");
});

test("the request", async request => {
  equal(request.method, "POST");
  equal(new URL(request.url).pathname, "/path");
  equal(request.headers.get("Accept"), "*/*");
  equal(request.headers.get("none"), null);
  equal([...request.headers].map(h => h[0]).join(), "accept,cookie,x-latin");
  equal(request.headers.get("x-latin"), "é");
  throws(() => request.headers.append("a", "b"), "TypeError", "immutable");
  const copy = request.clone();
  equal(await copy.text(), "the request's body");
  equal(await request.text(), "the request's body");
  const changed = new Request(request.url, { method: "GET", headers: request.headers });
  changed.headers.set("a", "b");
  equal(changed.headers.get("a"), "b");
});
