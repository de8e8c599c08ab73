// CompressionStream and DecompressionStream.
import suite, { test, equal, throws, rejects } from "./harness.js";
export default suite;

const formats = ["gzip", "deflate", "deflate-raw"];
const from = text => Uint8Array.fromHex(text);
const through = (body, transform) => new Response(new Response(body).body.pipeThrough(transform));

test("round trips", async () => {
  const noise = crypto.getRandomValues(new Uint8Array(50000)).toHex();
  for (const format of formats) {
    for (const text of ["", "a", "text ".repeat(100000), noise]) {
      const small = await through(text, new CompressionStream(format)).bytes();
      equal(small.length < text.length + 100, true, `${format} of ${text.length}`);
      if (text.startsWith("text")) equal(small.length < 3000, true, `${format} of ${text.length}`);
      const back = await through(small, new DecompressionStream(format)).text();
      equal(back === text, true, `${format} of ${text.length}: ${back.length}`);
    }
  }
});

test("what others compressed", async () => {
  // RFC 1951 and 1950 by hand: a stored block, and one of fixed codes.
  equal(await through(from("010200fdff6869"), new DecompressionStream("deflate-raw")).text(), "hi");
  equal(await through(from("789c4bcb4953000286014d"), new DecompressionStream("deflate")).text().catch(e => e.name), "TypeError");
  equal(await through(from("789c4b040000620062"), new DecompressionStream("deflate")).text(), "a");
  equal(await through(from("1f8b08000000000000034b040043beb7e801000000"), new DecompressionStream("gzip")).text(), "a");
});

test("byte by byte", async () => {
  const small = await through("some text, some text, some text", new CompressionStream("gzip")).bytes();
  const d = new DecompressionStream("gzip"), w = d.writable.getWriter();
  const text = new Response(d.readable).text();
  for (const b of small) await w.write(new Uint8Array([b]));
  await w.close();
  equal(await text, "some text, some text, some text");
});

test("malformed data", async () => {
  const small = await through("text ".repeat(100), new CompressionStream("gzip")).bytes();
  const wrong = small.slice();
  wrong[wrong.length - 8] ^= 1; // the checksum
  const more = new Uint8Array([...small, 0]), twice = new Uint8Array([...small, ...small]);
  for (const [what, data] of [["nothing", new Uint8Array()], ["too short", small.slice(0, -1)], ["checksum", wrong], ["more", more], ["twice", twice], ["magic", new Uint8Array(20)]]) {
    const got = await Promise.race([through(data, new DecompressionStream("gzip")).bytes().catch(e => e.name), scheduler.wait(30_000)]);
    equal(got, "TypeError", what);
  }
  const d = new DecompressionStream("deflate"), w = d.writable.getWriter();
  const read = d.readable.getReader().read();
  await rejects(w.write(new Uint8Array([1, 2, 3])), "TypeError");
  await rejects(read, "TypeError");
  await rejects(w.closed, "TypeError");
});

test("what is not bytes", async () => {
  throws(() => new CompressionStream("br"), "TypeError", "'gzip'");
  throws(() => new DecompressionStream(), "TypeError");
  const c = new CompressionStream("gzip"), w = c.writable.getWriter();
  const read = c.readable.getReader().read();
  await rejects(w.write("text"), "TypeError");
  await rejects(read, "TypeError");
});

test("given up", async () => {
  for (const how of ["cancel", "abort"]) {
    const c = new CompressionStream("gzip"), w = c.writable.getWriter();
    w.write(new Uint8Array(10)).catch(() => {});
    if (how === "cancel") {
      await c.readable.cancel("enough");
      await w.closed.catch(e => equal(e, "enough"));
    } else {
      await w.abort("enough");
      await c.readable.getReader().closed.catch(e => equal(e, "enough"));
    }
  }
});

test("a bomb is made as it is read", async () => {
  let bomb = new Uint8Array(1 << 20);
  bomb = await through(bomb, new CompressionStream("gzip")).bytes();
  const d = new DecompressionStream("gzip"), w = d.writable.getWriter();
  w.write(bomb).catch(() => {});
  const reader = d.readable.getReader();
  const { value } = await reader.read();
  equal(value.length <= 65536, true);
  await reader.cancel();
});

test("streams that are never closed", async () => {
  let opened = 0;
  try {
    for (; opened < 1000; opened++) {
      const c = new CompressionStream("gzip");
      c.readable.getReader().read().catch(() => {});
      await Promise.race([c.writable.getWriter().write(new Uint8Array(1)), scheduler.wait(30_000).then(() => { throw new Error("hung at " + opened); })]);
    }
  } catch (e) {
    equal(/would exceed/.test(e.message), true, e.message);
  }
  equal(opened > 50 && opened < 200, true, opened);
});
