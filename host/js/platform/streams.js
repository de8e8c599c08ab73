// https://streams.spec.whatwg.org/

// A promise with its functions. What fails nobody need look at.
function deferred() {
  const d = Promise.withResolvers();
  d.promise.catch(() => {});
  return d;
}

function strategyOf(strategy, otherwise) {
  const size = strategy?.size;
  let mark = strategy?.highWaterMark;
  if (mark === undefined) mark = otherwise;
  mark = Number(mark);
  if (Number.isNaN(mark) || mark < 0) throw new RangeError("The high water mark must be a number that is not negative");
  if (size !== undefined && typeof size !== "function") throw new TypeError("size must be a function");
  return { size: size ?? (() => 1), mark };
}

class CountQueuingStrategy {
  #mark;
  constructor({ highWaterMark }) { this.#mark = highWaterMark; }
  get highWaterMark() { return this.#mark; }
  get size() { return () => 1; }
}

class ByteLengthQueuingStrategy {
  #mark;
  constructor({ highWaterMark }) { this.#mark = highWaterMark; }
  get highWaterMark() { return this.#mark; }
  get size() { return chunk => chunk.byteLength; }
}

// The state of a readable stream; streamState finds it.
class ReadableState {
  phase = "readable";
  error = undefined;
  reader = null; // of the reader: { requests, closed, state }
  disturbed = false;
  queue = [];
  size = 0;
  closing = false; // close was called, the queue is not empty yet
  started = false;
  pulling = false;
  again = false;
  body = null; // the Body that this stream was made of, as long as nobody reads

  constructor(source, strategy) {
    this.source = source;
    this.strategy = strategy;
    this.bytes = source.type === "bytes";
    this.controller = this.bytes ? new ReadableByteStreamController(internal, this) : new ReadableStreamDefaultController(internal, this);
  }

  start() {
    const result = this.source.start?.(this.controller);
    Promise.resolve(result).then(() => {
      this.started = true;
      this.pull();
    }, e => this.fail(e));
  }

  get desired() {
    if (this.phase === "errored") return null;
    return this.phase === "closed" ? 0 : this.strategy.mark - this.size;
  }

  get open() { return this.phase === "readable" && !this.closing; }

  pull() {
    if (!this.started || !this.open || !this.source.pull) return;
    if (!(this.reader?.requests.length > 0) && !(this.desired > 0)) return;
    if (this.pulling) return void (this.again = true);
    this.pulling = true;
    let result;
    try {
      result = Promise.resolve(this.source.pull(this.controller));
    } catch (e) {
      result = Promise.reject(e);
    }
    result.then(() => {
      this.pulling = false;
      if (this.again) {
        this.again = false;
        this.pull();
      }
    }, e => this.fail(e));
  }

  enqueue(chunk) {
    if (!this.open) throw new TypeError("The stream is closed");
    if (this.bytes) {
      if (!ArrayBuffer.isView(chunk)) throw new TypeError("A byte stream takes views of ArrayBuffers");
      if (chunk.byteLength === 0) throw new TypeError("A byte stream takes no empty chunks");
      chunk = bytesOf(chunk);
    }
    if (this.reader?.requests.length > 0) this.serve(this.reader.requests.shift(), chunk);
    else {
      let size;
      try {
        size = this.bytes ? chunk.byteLength : Number(this.strategy.size(chunk));
        if (!(size >= 0) || size === Infinity) throw new RangeError("The size of a chunk must be a finite number that is not negative");
      } catch (e) {
        this.fail(e);
        throw e;
      }
      this.queue.push({ chunk, size });
      this.size += size;
    }
    this.pull();
  }

  // serve gives a chunk to a request; a reader's own view takes as much as fits.
  serve(request, chunk) {
    if (!request.view) return request.resolve({ value: chunk, done: false });
    const view = request.view;
    const room = bytesOf(view), n = Math.min(room.length, chunk.length);
    room.set(chunk.subarray(0, n));
    if (n < chunk.length) {
      this.queue.unshift({ chunk: chunk.subarray(n), size: chunk.length - n });
      this.size += chunk.length - n;
    }
    request.resolve({ value: new view.constructor(view.buffer, view.byteOffset, n / (view.BYTES_PER_ELEMENT ?? 1)), done: false });
  }

  close() {
    if (!this.open) throw new TypeError("The stream is closed");
    this.closing = true;
    if (this.queue.length === 0) this.finish();
  }

  finish() {
    if (this.phase !== "readable") return;
    this.phase = "closed";
    for (const r of this.reader?.requests.splice(0) ?? []) {
      r.resolve({ value: r.view ? new r.view.constructor(r.view.buffer, r.view.byteOffset, 0) : undefined, done: true });
    }
    this.reader?.closed.resolve();
  }

  fail(e) {
    if (this.phase !== "readable") return;
    this.phase = "errored";
    this.error = e;
    this.queue = [];
    this.size = 0;
    for (const r of this.reader?.requests.splice(0) ?? []) r.reject(e);
    this.reader?.closed.reject(e);
  }

  read(view) {
    this.disturbed = true;
    this.body = null;
    if (this.phase === "errored") return Promise.reject(this.error);
    if (this.phase === "closed") return Promise.resolve({ value: view && new view.constructor(view.buffer, view.byteOffset, 0), done: true });
    const request = Promise.withResolvers();
    request.view = view;
    if (this.queue.length > 0) {
      const { chunk, size } = this.queue.shift();
      this.size -= size;
      this.serve(request, chunk);
      if (this.closing && this.queue.length === 0) this.finish();
      else this.pull();
      return request.promise;
    }
    this.reader.requests.push(request);
    this.pull();
    return request.promise;
  }

  async cancel(reason) {
    this.disturbed = true;
    this.body = null;
    if (this.phase === "closed") return;
    if (this.phase === "errored") throw this.error;
    this.queue = [];
    this.finish();
    await this.source.cancel?.(reason);
  }
}

class ReadableStreamDefaultController {
  #state;
  constructor(token, state) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#state = state;
  }
  get desiredSize() { return this.#state.desired; }
  enqueue(chunk) { this.#state.enqueue(chunk); }
  close() { this.#state.close(); }
  error(e) { this.#state.fail(e); }
}

class ReadableByteStreamController {
  #state;
  constructor(token, state) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#state = state;
  }
  get byobRequest() { return null; }
  get desiredSize() { return this.#state.desired; }
  enqueue(chunk) { this.#state.enqueue(chunk); }
  close() { this.#state.close(); }
  error(e) { this.#state.fail(e); }
}

let streamState;

class ReadableStream {
  #state;

  static { streamState = s => s.#state; }

  constructor(source = {}, strategy = {}) {
    if (source === null || typeof source !== "object") throw new TypeError("ReadableStream needs an underlying source");
    for (const name of ["start", "pull", "cancel"]) {
      if (source[name] !== undefined && typeof source[name] !== "function") throw new TypeError(`${name} must be a function`);
    }
    if (source.type !== undefined && String(source.type) !== "bytes") throw new TypeError(`Invalid type: ${source.type}`);
    this.#state = new ReadableState(source, strategyOf(strategy, source.type === "bytes" ? 0 : 1));
    this.#state.start();
  }

  static from(iterable) {
    const method = iterable?.[Symbol.asyncIterator] ?? iterable?.[Symbol.iterator];
    if (typeof method !== "function") throw new TypeError("ReadableStream.from needs something to iterate over");
    const it = method.call(iterable);
    return new ReadableStream({
      async pull(c) {
        const { value, done } = await it.next();
        if (done) c.close();
        else c.enqueue(await value);
      },
      async cancel(reason) { await it.return?.(reason); },
    }, { highWaterMark: 0 });
  }

  get locked() { return this.#state.reader !== null; }

  cancel(reason) {
    if (this.locked) return Promise.reject(new TypeError("The stream is locked to a reader"));
    return this.#state.cancel(reason);
  }

  getReader(options) {
    const mode = options?.mode;
    if (mode === undefined) return new ReadableStreamDefaultReader(this);
    if (String(mode) !== "byob") throw new TypeError(`Invalid mode: ${mode}`);
    return new ReadableStreamBYOBReader(this);
  }

  pipeThrough(pair, options) {
    const { writable, readable } = pair;
    if (!(writable instanceof WritableStream) || !(readable instanceof ReadableStream)) throw new TypeError("pipeThrough needs a readable and a writable stream");
    if (this.locked) throw new TypeError("The stream is locked to a reader");
    if (writable.locked) throw new TypeError("The destination is locked to a writer");
    this.pipeTo(writable, options).catch(() => {});
    return readable;
  }

  async pipeTo(destination, options = {}) {
    if (!(destination instanceof WritableStream)) throw new TypeError("pipeTo needs a WritableStream");
    if (this.locked) throw new TypeError("The stream is locked to a reader");
    if (destination.locked) throw new TypeError("The destination is locked to a writer");
    const { signal, preventClose, preventAbort, preventCancel } = options ?? {};
    const reader = this.getReader(), writer = destination.getWriter();
    let stop;
    const aborted = new Promise((_, reject) => { stop = () => reject({ aborted: signal.reason }); });
    aborted.catch(() => {});
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop);
    try {
      await copy(reader, writer, signal ? aborted : undefined);
      if (!preventClose) await writer.close();
    } catch (e) {
      const reason = "aborted" in e ? e.aborted : e.source ? e.source.error : e.sink.error;
      if (!preventAbort && !e.sink) await writer.abort(reason).catch(() => {});
      if (!preventCancel && !e.source) await reader.cancel(reason).catch(() => {});
      throw reason;
    } finally {
      signal?.removeEventListener("abort", stop);
      reader.releaseLock();
      writer.releaseLock();
    }
  }

  tee() {
    const reader = this.getReader();
    const branches = [];
    let reading = false, again = false;
    const canceled = [undefined, undefined], done = deferred();
    const pull = async () => {
      if (reading) return void (again = true);
      reading = true;
      try {
        do {
          again = false;
          const { value, done } = await reader.read();
          for (const b of branches) {
            if (b.canceled) continue;
            if (done) b.c.close();
            else b.c.enqueue(value);
          }
          if (done) return;
        } while (again);
      } catch (e) {
        for (const b of branches) b.c.error(e);
      } finally {
        reading = false;
      }
    };
    const make = i => new ReadableStream({
      start(c) { branches[i] = { c, canceled: false }; },
      pull,
      cancel(reason) {
        branches[i].canceled = true;
        canceled[i] = reason;
        if (branches.every(b => b.canceled)) done.resolve(reader.cancel(canceled));
        return done.promise;
      },
    });
    return [make(0), make(1)];
  }

  async *values({ preventCancel = false } = {}) {
    const reader = this.getReader();
    let ended = false;
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) {
          ended = true;
          return;
        }
        yield value;
      }
    } catch (e) {
      ended = true;
      throw e;
    } finally {
      if (!ended && !preventCancel) await reader.cancel();
      reader.releaseLock();
    }
  }
}
define(ReadableStream.prototype, Symbol.asyncIterator, ReadableStream.prototype.values);

// copy says in which of both an error came up.
async function copy(reader, writer, aborted) {
  const within = (promise, side) => {
    promise = promise.catch(error => { throw { [side]: { error } }; });
    return aborted ? Promise.race([aborted, promise]) : promise;
  };
  for (;;) {
    await within(writer.ready, "sink");
    const { value, done } = await within(reader.read(), "source");
    if (done) return;
    writer.write(value).catch(() => {});
  }
}

// Reader is what both kinds of readers have.
class Reader {
  #lock;
  constructor(stream) {
    if (!(stream instanceof ReadableStream)) throw new TypeError("A reader needs a ReadableStream");
    if (stream.locked) throw new TypeError("The stream is locked to a reader");
    const state = streamState(stream), closed = deferred();
    if (state.phase === "closed") closed.resolve();
    if (state.phase === "errored") closed.reject(state.error);
    this.#lock = state.reader = { requests: [], closed, state };
  }
  get closed() { return this.#lock.closed.promise; }
  cancel(reason) {
    if (!this.#lock.state) return Promise.reject(new TypeError("The reader was released"));
    return this.#lock.state.cancel(reason);
  }
  releaseLock() {
    const lock = this.#lock;
    if (!lock.state) return;
    lock.state.reader = null;
    lock.state = null;
    const e = new TypeError("The reader was released");
    for (const r of lock.requests.splice(0)) r.reject(e);
    lock.closed.reject(e);
    lock.closed = deferred();
    lock.closed.reject(e);
  }
  static read(reader, view) {
    const { state } = reader.#lock;
    return state ? state.read(view) : Promise.reject(new TypeError("The reader was released"));
  }
}

class ReadableStreamDefaultReader extends Reader {
  read() { return Reader.read(this); }
}

class ReadableStreamBYOBReader extends Reader {
  constructor(stream) {
    if (!(stream instanceof ReadableStream) || !streamState(stream).bytes) throw new TypeError("Only a byte stream has a BYOB reader");
    super(stream);
  }
  read(view) {
    if (!ArrayBuffer.isView(view)) return Promise.reject(new TypeError("read needs a view of an ArrayBuffer"));
    if (view.byteLength === 0) return Promise.reject(new TypeError("read needs a view that is not empty"));
    const { byteOffset, byteLength } = view;
    return Reader.read(this, new view.constructor(view.buffer.transfer(), byteOffset, byteLength / (view.BYTES_PER_ELEMENT ?? 1)));
  }
  readAtLeast(_, view) { return this.read(view); }
}

// The state of a writable stream.
class WritableState {
  phase = "writable"; // or erroring, closed, errored
  error = undefined;
  writer = null;
  queue = []; // of { chunk, size, done } and one { close, done } at the end
  size = 0;
  busy = false; // a write or close is under way
  started = false;
  closing = false;
  aborting = null;
  abortController = new AbortController();

  constructor(sink, strategy) {
    this.sink = sink;
    this.strategy = strategy;
    this.controller = new WritableStreamDefaultController(internal, this);
  }

  start() {
    const result = this.sink.start?.(this.controller);
    Promise.resolve(result).then(() => {
      this.started = true;
      this.advance();
    }, e => {
      this.started = true;
      this.fail(e);
    });
  }

  get desired() {
    if (this.phase === "errored" || this.phase === "erroring") return null;
    return this.phase === "closed" ? 0 : this.strategy.mark - this.size;
  }

  get pressed() { return this.phase === "writable" && !this.closing && this.desired <= 0; }

  write(chunk) {
    if (this.phase === "errored" || this.phase === "erroring") return Promise.reject(this.error);
    if (this.closing || this.phase === "closed") return Promise.reject(new TypeError("The stream is closed"));
    let size;
    try {
      size = Number(this.strategy.size(chunk));
      if (!(size >= 0) || size === Infinity) throw new RangeError("The size of a chunk must be a finite number that is not negative");
    } catch (e) {
      this.fail(e);
      return Promise.reject(e);
    }
    const done = deferred();
    this.queue.push({ chunk, size, done });
    this.size += size;
    this.updateReady();
    this.advance();
    return done.promise;
  }

  close() {
    if (this.closing || this.phase === "closed" || this.phase === "errored") return Promise.reject(new TypeError("The stream is closed"));
    this.closing = true;
    const done = deferred();
    this.queue.push({ close: true, size: 0, done });
    this.writer?.ready.resolve();
    this.advance();
    return done.promise;
  }

  async advance() {
    if (!this.started || this.busy) return;
    if (this.phase === "erroring") return this.finishFailing();
    if (this.phase !== "writable" || this.queue.length === 0) return;
    this.busy = true;
    const item = this.queue[0];
    try {
      if (item.close) await this.sink.close?.();
      else await this.sink.write?.(item.chunk, this.controller);
    } catch (e) {
      this.busy = false;
      this.queue.shift();
      item.done.reject(e);
      if (this.phase === "erroring") this.finishFailing();
      else this.fail(e);
      return;
    }
    this.busy = false;
    this.queue.shift();
    this.size -= item.size;
    if (item.close) {
      this.phase = "closed";
      this.aborting?.resolve();
      this.writer?.closed.resolve();
    }
    item.done.resolve();
    this.updateReady();
    this.advance();
  }

  updateReady() {
    if (!this.writer || this.phase !== "writable") return;
    if (this.pressed === this.writer.pressed) return;
    this.writer.pressed = this.pressed;
    if (this.pressed) this.writer.ready = deferred();
    else this.writer.ready.resolve();
  }

  fail(e) {
    if (this.phase !== "writable") return;
    this.phase = "erroring";
    this.error = e;
    if (this.writer) {
      if (!this.writer.pressed) this.writer.ready = deferred();
      this.writer.ready.reject(e);
    }
    if (!this.busy && this.started) this.finishFailing();
  }

  async finishFailing() {
    if (this.phase !== "erroring") return;
    this.phase = "errored";
    for (const item of this.queue.splice(0)) item.done.reject(this.error);
    this.size = 0;
    if (this.aborting) {
      try {
        await this.sink.abort?.(this.aborting.reason);
        this.aborting.resolve();
      } catch (e) {
        this.aborting.reject(e);
      }
    }
    this.writer?.closed.reject(this.error);
  }

  abort(reason) {
    if (this.phase === "closed" || this.phase === "errored") return Promise.resolve();
    if (this.aborting) return this.aborting.promise;
    this.aborting = deferred();
    this.aborting.reason = reason;
    this.abortController.abort(reason);
    this.fail(reason);
    return this.aborting.promise;
  }
}

class WritableStreamDefaultController {
  #state;
  constructor(token, state) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#state = state;
  }
  get signal() { return this.#state.abortController.signal; }
  error(e) { this.#state.fail(e); }
}

let writableState;

class WritableStream {
  #state;

  static { writableState = s => s.#state; }

  constructor(sink = {}, strategy = {}) {
    if (sink === null || typeof sink !== "object") throw new TypeError("WritableStream needs an underlying sink");
    if (sink.type !== undefined) throw new RangeError("The type of a sink is reserved");
    this.#state = new WritableState(sink, strategyOf(strategy, 1));
    this.#state.start();
  }

  get locked() { return this.#state.writer !== null; }
  abort(reason) { return this.locked ? Promise.reject(new TypeError("The stream is locked to a writer")) : this.#state.abort(reason); }
  close() { return this.locked ? Promise.reject(new TypeError("The stream is locked to a writer")) : this.#state.close(); }
  getWriter() { return new WritableStreamDefaultWriter(this); }
}

class WritableStreamDefaultWriter {
  #lock;

  constructor(stream) {
    if (!(stream instanceof WritableStream)) throw new TypeError("A writer needs a WritableStream");
    if (stream.locked) throw new TypeError("The stream is locked to a writer");
    const state = writableState(stream);
    const lock = this.#lock = state.writer = { ready: deferred(), closed: deferred(), pressed: state.pressed, state };
    if (!lock.pressed) lock.ready.resolve();
    if (state.phase === "closed") lock.closed.resolve();
    if (state.phase === "errored" || state.phase === "erroring") {
      lock.ready = deferred();
      lock.ready.reject(state.error);
      if (state.phase === "errored") lock.closed.reject(state.error);
    }
  }

  #use() {
    if (!this.#lock.state) throw new TypeError("The writer was released");
    return this.#lock.state;
  }

  get ready() { return this.#lock.ready.promise; }
  get closed() { return this.#lock.closed.promise; }
  get desiredSize() { return this.#use().desired; }
  async write(chunk) { return this.#use().write(chunk); }
  async close() { return this.#use().close(); }
  async abort(reason) { return this.#use().abort(reason); }

  releaseLock() {
    const lock = this.#lock;
    if (!lock.state) return;
    lock.state.writer = null;
    lock.state = null;
    const e = new TypeError("The writer was released");
    lock.ready.reject(e);
    lock.closed.reject(e);
  }
}

class TransformStreamDefaultController {
  #readable; #writable; #enqueued;
  constructor(token, readable, writable, enqueued) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#readable = readable;
    this.#writable = writable;
    this.#enqueued = enqueued;
  }
  get desiredSize() { return this.#readable().desired; }
  enqueue(chunk) {
    this.#readable().enqueue(chunk);
    this.#enqueued();
  }
  error(e) {
    this.#readable().fail(e);
    this.#writable().fail(e);
  }
  terminate() {
    const r = this.#readable();
    if (r.open) r.close();
    this.#writable().fail(new TypeError("The stream was terminated"));
  }
}

class TransformStream {
  #readable; #writable;

  constructor(transformer = {}, writableStrategy = {}, readableStrategy = {}) {
    transformer ??= {};
    let wanted = deferred(); // somebody reads, or there is room
    const readable = () => streamState(this.#readable), writable = () => writableState(this.#writable);
    const controller = new TransformStreamDefaultController(internal, readable, writable, () => {
      const r = readable();
      if (!(r.desired > 0) && !(r.reader?.requests.length > 0)) wanted = deferred();
    });
    const guarded = async work => {
      try {
        await work();
      } catch (e) {
        readable().fail(e);
        throw e;
      }
    };
    this.#readable = new ReadableStream({
      pull() { wanted.resolve(); },
      async cancel(reason) {
        wanted.resolve();
        await transformer.cancel?.(reason);
        writable().fail(reason);
      },
    }, { highWaterMark: 0, ...readableStrategy });
    this.#writable = new WritableStream({
      start: () => transformer.start?.(controller),
      write: chunk => guarded(async () => {
        await wanted.promise;
        if (writable().phase === "erroring") throw writable().error;
        if (transformer.transform) await transformer.transform(chunk, controller);
        else controller.enqueue(chunk);
      }),
      close: () => guarded(async () => {
        await transformer.flush?.(controller);
        if (readable().open) readable().close();
      }),
      async abort(reason) {
        await transformer.cancel?.(reason);
        readable().fail(reason);
      },
    }, writableStrategy);
  }

  get readable() { return this.#readable; }
  get writable() { return this.#writable; }
}

// FixedLengthStream and IdentityTransformStream are extensions of Workers for bytes.
class IdentityTransformStream extends TransformStream {
  constructor() {
    super({ transform(chunk, c) {
      const bytes = typeof chunk === "string" ? utf8(chunk) : bytesOf(chunk);
      if (!bytes) throw new TypeError("This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.");
      if (bytes.length > 0) c.enqueue(bytes);
    } });
  }
}

class FixedLengthStream extends IdentityTransformStream {
  constructor(length) {
    super();
    if (!(Number(length) >= 0)) throw new TypeError("FixedLengthStream needs a length");
  }
}

class TextEncoderStream extends TransformStream {
  constructor() {
    let high = "";
    super({
      transform(chunk, c) {
        let text = high + String(chunk);
        high = "";
        if (/[\ud800-\udbff]$/.test(text)) {
          high = text.slice(-1);
          text = text.slice(0, -1);
        }
        if (text) c.enqueue(utf8(text));
      },
      flush(c) { if (high) c.enqueue(utf8(high)); },
    });
  }
  get encoding() { return "utf-8"; }
}

class TextDecoderStream extends TransformStream {
  #decoder;
  constructor(label, options) {
    const decoder = new TextDecoder(label, options);
    const give = (text, c) => { if (text) c.enqueue(text); };
    super({
      transform(chunk, c) { give(decoder.decode(chunk, { stream: true }), c); },
      flush(c) { give(decoder.decode(), c); },
    });
    this.#decoder = decoder;
  }
  get encoding() { return this.#decoder.encoding; }
  get fatal() { return this.#decoder.fatal; }
  get ignoreBOM() { return this.#decoder.ignoreBOM; }
}

// streamOf is a stream of bytes that are there.
function streamOf(bytes) {
  return new ReadableStream({
    type: "bytes",
    start(c) {
      if (bytes.length > 0) c.enqueue(bytes);
      c.close();
    },
  });
}
