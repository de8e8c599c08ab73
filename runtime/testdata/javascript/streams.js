// Byte streams (https://streams.spec.whatwg.org/#rbs-class) and what is made of them.
import { equal, rejects, test, throws } from "./harness.js";
export { default } from "./harness.js";

const text = bytes => new TextDecoder().decode(bytes);
const bytes = s => new TextEncoder().encode(s);

test("a source fills the buffer of a reader", async () => {
  const stream = new ReadableStream({
    type: "bytes",
    pull(c) {
      const { view } = c.byobRequest;
      equal(view.byteLength, 8);
      view.set(bytes("hello"));
      c.byobRequest.respond(5);
      throws(() => view.buffer.slice(), "TypeError");
    },
  });
  const reader = stream.getReader({ mode: "byob" }), mine = new Uint8Array(8);
  const { value, done } = await reader.read(mine);
  equal([text(value), value.buffer.byteLength, mine.byteLength, done], ["hello", 8, 0, false]);
});

test("a source allocates for readers without a buffer", async () => {
  const stream = new ReadableStream({
    type: "bytes", autoAllocateChunkSize: 4,
    pull(c) {
      c.byobRequest.view[0] = 7;
      c.byobRequest.respond(1);
    },
  });
  const { value } = await stream.getReader().read();
  equal([...value], [7]);
  equal(value.buffer.byteLength, 4);
});

test("min waits for enough", async () => {
  let n = 0;
  const stream = new ReadableStream({ type: "bytes", pull(c) { c.enqueue(new Uint8Array([++n, ++n])); } });
  const reader = stream.getReader({ mode: "byob" });
  equal([...(await reader.read(new Uint8Array(10), { min: 5 })).value], [1, 2, 3, 4, 5, 6]);
  await rejects(reader.read(new Uint8Array(2), { min: 3 }), "RangeError");
  await rejects(reader.read(new Uint8Array(2), { min: 0 }), "TypeError");
  await rejects(reader.read(new Uint8Array(0)), "TypeError");
});

test("elements are never cut", async () => {
  const stream = new ReadableStream({
    type: "bytes",
    start(c) {
      c.enqueue(new Uint8Array([1, 0, 2]));
      c.enqueue(new Uint8Array([0, 9]));
      c.close();
    },
  });
  const reader = stream.getReader({ mode: "byob" });
  equal([...(await reader.read(new Uint16Array(4))).value], [1, 2]);
  await rejects(reader.read(new Uint16Array(4)), "TypeError");
});

test("a view takes the place of the request's", async () => {
  const stream = new ReadableStream({
    type: "bytes",
    pull(c) {
      const moved = structuredClone(c.byobRequest.view, { transfer: [c.byobRequest.view.buffer] });
      moved[0] = 42;
      c.byobRequest.respondWithNewView(moved.subarray(0, 1));
    },
  });
  equal([...(await stream.getReader({ mode: "byob" }).read(new Uint8Array(3))).value], [42]);
});

test("both branches of a tee have their own bytes", async () => {
  const source = new ReadableStream({ type: "bytes", start(c) { c.enqueue(bytes("abc")); c.close(); } });
  const [a, b] = source.tee();
  const first = await a.getReader({ mode: "byob" }).read(new Uint8Array(2));
  first.value.fill(0);
  equal(await new Response(b).text(), "abc");
});

test("a reader that lets go leaves what was filled to the next", async () => {
  let controller;
  const stream = new ReadableStream({ type: "bytes", start(c) { controller = c; } });
  const reader = stream.getReader({ mode: "byob" }), pending = reader.read(new Uint8Array(4), { min: 4 });
  controller.enqueue(bytes("ab"));
  reader.releaseLock();
  await rejects(pending, "TypeError", "released");
  controller.enqueue(bytes("c"));
  const next = stream.getReader();
  equal([text((await next.read()).value), text((await next.read()).value)], ["ab", "c"]);
});

test("an end answers the views that wait", async () => {
  let controller;
  const stream = new ReadableStream({ type: "bytes", start(c) { controller = c; } });
  const read = stream.getReader({ mode: "byob" }).read(new Uint8Array(4));
  controller.close();
  controller.byobRequest.respond(0);
  const { value, done } = await read;
  equal([value.byteLength, value.buffer.byteLength, done], [0, 4, true]);
});

test("bodies are streams of bytes", async () => {
  for (const body of [new Response("hello").body, new Response(bytes("hello")).body, new Blob(["he", "llo"]).stream()]) {
    const reader = body.getReader({ mode: "byob" });
    let all = "", part;
    while (!(part = await reader.read(new Uint8Array(2))).done) all += text(part.value);
    equal(all, "hello");
  }
});

test("what a stream gives is not what a body or a Blob has", async () => {
  const blob = new Blob(["abc"]);
  (await blob.stream().getReader().read()).value.fill(0);
  equal(await blob.text(), "abc");
  const response = new Response(bytes("abc")), copy = response.clone();
  (await response.body.getReader().read()).value.fill(0);
  equal(await copy.text(), "abc");
});

test("a body that is being read is locked", async () => {
  const response = new Response("abc"), read = response.text();
  throws(() => response.body.getReader(), "TypeError", "locked");
  equal(await read, "abc");
});

test("structuredClone keeps what buffers can do", () => {
  const buffer = new ArrayBuffer(4, { maxByteLength: 8 }), view = structuredClone(new Uint8Array(buffer));
  view.buffer.resize(8);
  equal([view.length, buffer.byteLength], [8, 4]);
  const fixed = structuredClone(new Uint8Array(buffer, 0, 2));
  fixed.buffer.resize(8);
  equal(fixed.length, 2);
  const moved = structuredClone(new Uint16Array([1, 2, 3]).subarray(1), {});
  equal([...moved], [2, 3]);
  structuredClone(null, { transfer: [buffer] });
  equal(buffer.detached, true);
  throws(() => structuredClone(buffer), "DataCloneError");
  throws(() => structuredClone(1, { transfer: [buffer] }), "DataCloneError");
});
