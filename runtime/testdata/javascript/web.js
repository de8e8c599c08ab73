import { test, equal, rejects, throws } from "./harness.js";
export { default } from "./harness.js";

test("search parameters", () => {
  const p = new URLSearchParams("?a=1&b=%20+x&a=2&c");
  equal(p.get("a"), "1");
  equal(p.getAll("a").join(), "1,2");
  equal(p.get("b"), "  x");
  equal(p.get("c"), "");
  equal(p.get("d"), null);
  equal(p.has("a", "2"), true);
  equal(p.has("a", "3"), false);
  equal(p.size, 4);
  p.append("é&", "~!*'()-._");
  equal(p.toString(), "a=1&b=++x&a=2&c=&%C3%A9%26=%7E%21*%27%28%29-._");
  p.delete("a", "1");
  p.set("b", "y");
  p.sort();
  equal([...p.keys()].join(), "a,b,c,é&");
  equal(new URLSearchParams({ x: 1, y: "z" }).toString(), "x=1&y=z");
  equal(new URLSearchParams([["a", "b"]]).toString(), "a=b");
  throws(() => new URLSearchParams([["a"]]), "TypeError");
  equal(new URLSearchParams("%zz=%E4").get("%zz"), "\ufffd");
});

test("parameters and their URL", () => {
  const u = new URL("https://user:pw@example.com:8080/a/../b?x=1#f");
  equal(u.href, "https://user:pw@example.com:8080/b?x=1#f");
  equal([u.origin, u.port, u.username, u.password, u.hash].join(), "https://example.com:8080,8080,user,pw,#f");
  u.searchParams.append("y", "ä");
  equal(u.search, "?x=1&y=%C3%A4");
  u.search = "?z=1";
  equal(u.searchParams.get("z"), "1");
  u.searchParams.delete("z");
  equal(u.href, "https://user:pw@example.com:8080/b#f");
  u.host = "other.example";
  u.pathname = "/c d";
  equal(u.href, "https://user:pw@other.example:8080/c%20d#f");
  equal(URL.canParse("nonsense"), false);
  equal(URL.parse("/x", "https://a").href, "https://a/x");
  equal(URL.parse("x"), null);
  equal(JSON.stringify({ u }), `{"u":"${u}"}`);
  throws(() => new URL("http://a b/"), "TypeError");
});

test("UTF-8", () => {
  const text = "aé€😀";
  const bytes = new TextEncoder().encode(text);
  equal(bytes.join(), "97,195,169,226,130,172,240,159,152,128");
  equal(new TextDecoder().decode(bytes), text);
  equal(new TextEncoder().encode("\ud800x").join(), "239,191,189,120");
  const into = new Uint8Array(4);
  equal(JSON.stringify(new TextEncoder().encodeInto("é€x", into)), '{"read":1,"written":2}');
  const cases = [[[0xff], "\ufffd"], [[0xe2, 0x82], "\ufffd"], [[0xe2, 0x82, 0x41], "\ufffdA"], [[0xf0, 0x9f, 0x98], "\ufffd"],
    [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"], [[0xc0, 0x80], "\ufffd\ufffd"], [[0xf4, 0x90, 0x80, 0x80], "\ufffd\ufffd\ufffd\ufffd"]];
  for (const [bytes, want] of cases) equal(new TextDecoder().decode(new Uint8Array(bytes)), want, String(bytes));
  throws(() => new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff])), "TypeError");
  equal(new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])), "a");
  equal(new TextDecoder("utf8", { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])), "\ufeffa");
});

test("decoding in pieces", () => {
  const d = new TextDecoder();
  const bytes = new TextEncoder().encode("a€😀b");
  let text = "";
  for (const b of bytes) text += d.decode(new Uint8Array([b]), { stream: true });
  equal(text + d.decode(), "a€😀b");
  equal(d.decode(new Uint8Array([0xe2]), { stream: true }) + d.decode(), "\ufffd");
  equal(new TextDecoder("utf-16le").decode(new Uint8Array([0x61, 0, 0x3d, 0xd8, 0, 0xde])), "a😀");
  equal(new TextDecoder("latin1").decode(new Uint8Array([0xe9, 0x80])), "é€");
  throws(() => new TextDecoder("klingon"), "RangeError");
});

test("base64", () => {
  equal(btoa("hé"), "aOk=");
  equal(atob(" aOk= "), "hé");
  throws(() => btoa("€"), "InvalidCharacterError");
  throws(() => atob("a"), "InvalidCharacterError");
});

test("blobs", async () => {
  const b = new Blob(["ab", new Uint8Array([99]), new Blob(["d"])], { type: "Text/Plain" });
  equal([b.size, b.type, await b.text()].join(), "4,text/plain,abcd");
  equal(await b.slice(1, -1).text(), "bc");
  equal((await b.arrayBuffer()).byteLength, 4);
  const f = new File(["x"], "n", { lastModified: 5 });
  equal([f.name, f.lastModified, f instanceof Blob].join(), "n,5,true");
});

test("events", () => {
  const t = new EventTarget(), seen = [];
  t.addEventListener("x", e => seen.push(e.detail), { once: true });
  t.addEventListener("x", { handleEvent(e) { seen.push(e.type, this !== undefined); e.preventDefault(); } });
  equal(t.dispatchEvent(new CustomEvent("x", { detail: 1, cancelable: true })), false);
  equal(t.dispatchEvent(new Event("x")), true);
  equal(seen.join(), "1,x,true,x,true");
  const stop = new EventTarget();
  stop.addEventListener("y", e => e.stopImmediatePropagation());
  stop.addEventListener("y", () => seen.push("late"));
  stop.dispatchEvent(new Event("y"));
  equal(seen.includes("late"), false);
});

test("abort signals", async () => {
  const c = new AbortController(), any = AbortSignal.any([c.signal, AbortSignal.timeout(10_000)]);
  let calls = 0;
  c.signal.onabort = () => calls++;
  c.abort("why");
  c.abort("again");
  equal([calls, c.signal.reason, any.aborted, any.reason].join(), "1,why,true,why");
  throws(() => AbortSignal.abort().throwIfAborted(), "AbortError");
  const t = AbortSignal.timeout(1);
  await new Promise(r => t.addEventListener("abort", r));
  equal(t.reason.name, "TimeoutError");
  throws(() => new AbortSignal(), "TypeError");
});

test("timers", async () => {
  const order = [];
  await new Promise(done => {
    setTimeout(() => { order.push("b"); done(); }, 5);
    setTimeout(a => order.push(a), 1, "a");
    const off = setTimeout(() => order.push("never"), 0);
    clearTimeout(off);
    queueMicrotask(() => order.push("micro"));
    Promise.resolve().then(() => order.push("job"));
  });
  equal(order.join(), "micro,job,a,b");
  let n = 0;
  await new Promise(done => { const i = setInterval(() => { if (++n === 3) { clearInterval(i); done(); } }, 1); });
  equal(n, 3);
  const before = performance.now();
  await scheduler.wait(3);
  equal(performance.now() - before >= 2, true);
});

test("structured clones", () => {
  const source = { d: new Date(5), r: /x/gi, m: new Map([[1, { a: 1 }]]), s: new Set([1]), n: null, u: undefined, b: 1n, bytes: new Uint8Array([1, 2]), e: new RangeError("no"), holes: [1, , 3] };
  source.self = source;
  const c = structuredClone(source);
  equal(c !== source && c.self === c, true);
  equal([c.d.getTime(), String(c.r), c.m.get(1).a, c.s.has(1), c.b, c.bytes[1], c.e.message, c.e instanceof RangeError, 1 in c.holes].join(), "5,/x/gi,1,true,1,2,no,true,false");
  const buffer = new ArrayBuffer(8);
  equal(structuredClone(buffer, { transfer: [buffer] }).byteLength, 8);
  equal(buffer.byteLength, 0);
  throws(() => structuredClone(() => {}), "DataCloneError");
  throws(() => structuredClone(Symbol()), "DataCloneError");
});

test("streams", async () => {
  const chunks = [];
  const source = new ReadableStream({ start(c) { for (let i = 1; i <= 4; i++) c.enqueue(i); c.close(); } });
  const doubled = source.pipeThrough(new TransformStream({ transform(n, c) { if (n !== 3) c.enqueue(2 * n); }, flush(c) { c.enqueue("end"); } }));
  const [a, b] = doubled.tee();
  for await (const n of a) chunks.push(n);
  for await (const n of b) chunks.push(n);
  equal(chunks.join(), "2,4,8,end,2,4,8,end");
  const text = new ReadableStream({ start(c) { c.enqueue("h\ud83d"); c.enqueue("\ude00"); c.close(); } });
  equal(await new Response(text.pipeThrough(new TextEncoderStream())).text(), "h😀");
  const decoded = [];
  for await (const s of new Response("€").body.pipeThrough(new TextDecoderStream())) decoded.push(s);
  equal(decoded.join(""), "€");
  equal((await Array.fromAsync(ReadableStream.from([1, Promise.resolve(2)]))).join(), "1,2");
});

test("streams that fail and are canceled", async () => {
  const broken = new ReadableStream({ pull() { throw new RangeError("source"); } });
  await rejects(broken.getReader().read(), "RangeError", "source");
  let reason;
  const canceled = new ReadableStream({ cancel(r) { reason = r; } });
  await canceled.cancel("enough");
  equal(reason, "enough");
  const sink = new WritableStream({ write() { throw new RangeError("sink"); } });
  await rejects(ReadableStream.from([1, 2]).pipeTo(sink), "RangeError", "sink");
  const w = new WritableStream().getWriter();
  await w.close();
  await rejects(w.write(1), "TypeError");
  const reader = new ReadableStream({ start(c) { c.enqueue(1); } }).getReader();
  reader.releaseLock();
  await rejects(reader.read(), "TypeError", "released");
});

test("backpressure", async () => {
  let made = 0;
  const s = new ReadableStream({ pull(c) { c.enqueue(++made); } }, { highWaterMark: 2 });
  const r = s.getReader();
  await scheduler.wait(1);
  equal(made, 2);
  await r.read();
  await scheduler.wait(1);
  equal(made, 3);
  const w = new WritableStream({ write: () => new Promise(() => {}) }, { highWaterMark: 1 }).getWriter();
  equal(w.desiredSize, 1);
  w.write(1);
  equal(w.desiredSize, 0);
});

test("reads into a view", async () => {
  const reader = new Response("abcdef").body.getReader({ mode: "byob" });
  const { value, done } = await reader.read(new Uint8Array(4));
  equal([new TextDecoder().decode(value), done].join(), "abcd,false");
  equal(new TextDecoder().decode((await reader.read(new Uint8Array(4))).value), "ef");
});

test("digests and HMAC", async () => {
  const hex = async p => new Uint8Array(await p).toHex();
  const data = new TextEncoder().encode("abc");
  equal(await hex(crypto.subtle.digest("SHA-256", data)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  equal(await hex(crypto.subtle.digest({ name: "sha-1" }, data)), "a9993e364706816aba3e25717850c26c9cd0d89d");
  equal((await hex(crypto.subtle.digest("SHA-512", data))).length, 128);
  await rejects(crypto.subtle.digest("SHA-3", data), "NotSupportedError");
  // RFC 4231, test case 2
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode("Jefe"), { name: "HMAC", hash: "SHA-256" }, true, ["sign", "verify"]);
  const mac = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode("what do ya want for nothing?"));
  equal(new Uint8Array(mac).toHex(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  equal(await crypto.subtle.verify("HMAC", key, mac, new TextEncoder().encode("what do ya want for nothing?")), true);
  equal(await crypto.subtle.verify("HMAC", key, mac, data), false);
  equal((await crypto.subtle.exportKey("jwk", key)).k, "SmVmZQ");
  const made = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-512" }, false, ["sign"]);
  await rejects(crypto.subtle.exportKey("raw", made), "InvalidAccessError");
  await rejects(crypto.subtle.verify("HMAC", made, mac, data), "InvalidAccessError");
  equal(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()), true);
  throws(() => crypto.getRandomValues(new Float32Array(1)), "TypeMismatchError");
  throws(() => crypto.getRandomValues(new Uint8Array(65537)), "QuotaExceededError");
});

test("what is not there says so", () => {
  throws(() => new WebAssembly.Module(), "Error", "WebAssembly is not offered");
  equal(typeof process, "undefined");
  equal(navigator.userAgent, "Mayfly");
});

test("older encodings", () => {
  const decode = (label, hex, options) => new TextDecoder(label, options).decode(Uint8Array.fromHex(hex));
  for (const [label, hex, text] of [
    ["shift_jis", "93fa967b", "日本"], ["gbk", "d6d0b9fa", "中国"], ["big5", "a4a4", "中"], ["euc-kr", "c7d1", "한"], ["latin2", "b180", "ą\x80"],
    ["iso-2022-jp", "1b2442467c4b5c1b2842", "日本"], [" WINDOWS-1252\n", "80ff", "€ÿ"], ["koi8-r", "c1", "а"], ["shift_jis", "93", "\ufffd"],
  ]) equal(decode(label, hex), text, label);
  equal(new TextDecoder("GB2312").encoding, "gbk");
  throws(() => decode("euc-jp", "ff", { fatal: true }), "TypeError");
  for (const label of ["utf-7", "replacement", "iso-8859-2\u00a0", ""]) throws(() => new TextDecoder(label), "RangeError");
  for (const label of ["shift_jis", "iso-2022-jp"]) {
    const bytes = Uint8Array.fromHex(label === "shift_jis" ? "93fa967b" : "1b2442467c4b5c1b2842"), d = new TextDecoder(label);
    equal([...bytes].map(b => d.decode(new Uint8Array([b]), { stream: true })).join("") + d.decode(), "日本", label);
  }
});

test("iterators of pairs", () => {
  const form = new FormData();
  for (const name of "abc") form.append(name, name);
  const seen = [];
  for (const [name] of form) {
    seen.push(name);
    form.delete("b");
  }
  equal(seen.join(), "a,c");
  equal(String(new Headers().keys()), "[object Headers Iterator]");
  throws(() => new Headers([["a"]]), "TypeError");
  throws(() => Headers.prototype.keys.call({}), "TypeError");
});

test("pipes", async () => {
  const log = [];
  const source = n => new ReadableStream({ pull(c) { n ? c.enqueue(n--) : c.close(); }, cancel(e) { log.push("cancel " + e); } });
  const sink = fail => new WritableStream({
    write(chunk) { if (chunk === fail) throw "no"; log.push(chunk); }, close() { log.push("close"); }, abort(e) { log.push("abort " + e); },
  });
  await source(2).pipeTo(sink());
  equal(await source(3).pipeTo(sink(2)).catch(e => e), "no");
  const controller = new AbortController();
  controller.abort("stop");
  equal(await source(2).pipeTo(sink(), { signal: controller.signal }).catch(e => e), "stop");
  equal(log.join(), "2,1,close,3,cancel no,abort stop,cancel stop");
});
