// caches.
import suite, { test, equal, rejects } from "./harness.js";
export default suite;

const url = "https://example.com/page?a=b";

test("put, match and delete", async () => {
  const cache = caches.default;
  equal(await cache.match(url), undefined);
  equal(await cache.put(url, new Response("text", { headers: { "cache-control": "max-age=60", "x-a": "b" } })), undefined);
  const found = await cache.match(new Request(url + "#fragment", { headers: { accept: "x" } }));
  equal([found.status, await found.text(), found.headers.get("x-a"), found.headers.get("cf-cache-status"), found.headers.get("age"), found.url], [200, "text", "b", "HIT", "0", url + "#fragment"]);
  equal([await cache.match("https://example.com/page"), await cache.match("http://example.com/page?a=b")], [undefined, undefined]);
  const copy = new Response((await cache.match(url)).body, found);
  copy.headers.set("x-mine", "1");
  equal([await copy.text(), copy.headers.get("x-mine")], ["text", "1"]);
  equal([await cache.delete(url), await cache.delete(url), await cache.match(url)], [true, false, undefined]);
});

test("methods", async () => {
  const post = new Request(url, { method: "POST" });
  await rejects(caches.default.put(post, new Response("x")), "TypeError", "non-GET");
  await caches.default.put(url, new Response("x"));
  equal([await caches.default.match(post), await caches.default.delete(post)], [undefined, false]);
  equal(await (await caches.default.match(post, { ignoreMethod: true })).text(), "x");
  equal(await caches.default.delete(post, { ignoreMethod: true }), true);
});

test("what is not kept", async () => {
  for (const init of [{ status: 500 }, { headers: { "cache-control": "no-store" } }, { headers: { "set-cookie": "a=b" } }, { headers: { "cache-control": "private" } }]) {
    await caches.default.put(url, new Response("x", init));
    equal(await caches.default.match(url), undefined, JSON.stringify(init));
  }
  await rejects(caches.default.put(url, new Response("x", { status: 206 })), "TypeError", "206");
  await rejects(caches.default.put(url, new Response("x", { headers: { vary: "accept, *" } })), "TypeError", "Vary");
  await rejects(caches.default.put("no URL", new Response("x")), "TypeError");
  await rejects(caches.default.put(url, "text"), "TypeError");
  const used = new Response("x");
  await used.text();
  await rejects(caches.default.put(url, used), "TypeError", "already been used");
});

test("conditions", async () => {
  await caches.default.put(url, new Response("0123456789", { headers: { etag: '"x"' } }));
  const match = headers => caches.default.match(new Request(url, { headers }));
  const same = await match({ "if-none-match": '"x"' });
  equal([same.status, same.body], [304, null]);
  const part = await match({ range: "bytes=2-3" });
  equal([part.status, await part.text(), part.headers.get("content-range")], [206, "23", "bytes 2-3/10"]);
});

test("named caches", async () => {
  const one = await caches.open("one"), two = await caches.open("two");
  await one.put(url, new Response("1"));
  await two.put(url, new Response("2"));
  equal([await (await one.match(url)).text(), await (await (await caches.open("two")).match(url)).text()], ["1", "2"]);
  await rejects(one.add(url), "Error", "Cache.add");
});

test("bodies that are streams, and bytes", async () => {
  const stream = new ReadableStream({ start(c) { c.enqueue(new Uint8Array([1, 255])); c.enqueue(new Uint8Array([2])); c.close(); } });
  await caches.default.put(url, new Response(stream));
  equal((await (await caches.default.match(url)).bytes()).toHex(), "01ff02");
  await caches.default.put(url, new Response(null));
  equal(await (await caches.default.match(url)).text(), "");
});
