// https://compression.spec.whatwg.org/. The host codes; see compress.go. Output is
// made as it is read, so that a small body can't become a huge one at once.

const coderChunk = 65536;

function codingPair(format, inverse) {
  format = String(format);
  if (!["gzip", "deflate", "deflate-raw"].includes(format)) {
    throw new TypeError("The compression format must be either 'deflate', 'deflate-raw' or 'gzip'.");
  }
  let handle = null, fed = false;
  let arrival = deferred(); // there is something to be coded
  let tried = deferred(), drained = deferred(); // some of that was used, and all of it
  drained.resolve();
  const stop = reason => {
    shut();
    tried.reject(reason);
    drained.reject(reason);
  };
  const open = () => handle ??= ask(opCoder, inverse ? 1 : 0, format);
  const shut = () => {
    if (handle !== null) ask(opClose, handle);
    handle = null;
  };

  const readable = new ReadableStream({
    async pull(c) {
      for (;;) {
        while (!fed) await arrival.promise;
        let out;
        try {
          out = ask(opCoderRead, open());
        } catch (e) {
          stop(e);
          writableState(writable).fail(e);
          throw e;
        }
        tried.resolve();
        if (out instanceof Uint8Array) return c.enqueue(out);
        fed = false;
        arrival = deferred();
        if (out === null) {
          shut();
          c.close();
          drained.resolve();
          return;
        }
        drained.resolve();
      }
    },
    cancel(reason) {
      stop(reason);
      writableState(writable).fail(reason);
    },
  }, { highWaterMark: 0 });

  // feed gives the host something as soon as it has used what it was given before.
  const feed = async give => {
    await drained.promise;
    try {
      give();
    } catch (e) {
      shut();
      streamState(readable).fail(e);
      throw e;
    }
    fed = true;
    tried = deferred();
    drained = deferred();
    arrival.resolve();
  };
  const writable = new WritableStream({
    async write(chunk) {
      const bytes = bytesOf(chunk);
      if (!bytes || bytes.buffer instanceof SharedArrayBuffer) await feed(() => { throw new TypeError("A CompressionStream takes ArrayBuffers and views of them"); });
      for (let at = 0; at < bytes.length; at += coderChunk) {
        await feed(() => ask(opCoderWrite, open(), undefined, bytes.subarray(at, at + coderChunk)));
        await tried.promise;
      }
    },
    close: () => feed(() => ask(opCoderEnd, open())),
    abort(reason) {
      stop(reason);
      streamState(readable).fail(reason);
    },
  });
  return { readable, writable };
}

class CompressionStream {
  #pair;
  constructor(format) { this.#pair = codingPair(format, false); }
  get readable() { return this.#pair.readable; }
  get writable() { return this.#pair.writable; }
}

class DecompressionStream {
  #pair;
  constructor(format) { this.#pair = codingPair(format, true); }
  get readable() { return this.#pair.readable; }
  get writable() { return this.#pair.writable; }
}
tag(CompressionStream, DecompressionStream);
define(globalThis, "CompressionStream", CompressionStream);
define(globalThis, "DecompressionStream", DecompressionStream);
