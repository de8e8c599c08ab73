// https://streams.spec.whatwg.org/

// A promise with its functions. What fails nobody need look at.
function deferred() {
  const { promise, resolve, reject } = Promise.withResolvers();
  handled(promise);
  const d = { promise, pending: true };
  d.resolve = value => {
    d.pending = false;
    resolve(value);
  };
  d.reject = e => {
    d.pending = false;
    reject(e);
  };
  return d;
}

// Promises are used as they were before users could change them.
const { then: promiseThen } = Promise.prototype;
const upon = (promise, done, failed) => Reflect.apply(promiseThen, promise, [done, failed]);
const handled = promise => upon(promise, undefined, () => {});

// promised calls a function of a user and makes a promise of what comes of it.
function promised(f, self, ...args) {
  try {
    return Promise.resolve(Reflect.apply(f, self, args));
  } catch (e) {
    return Promise.reject(e);
  }
}

// A dictionary of Web IDL: an object, or nothing.
function dictionary(v, what) {
  if (v === undefined || v === null) return {};
  if (typeof v !== "object" && typeof v !== "function") throw new TypeError(`${what} must be an object`);
  return v;
}

// callbacks gets functions by name, in the order in which Web IDL does.
function callbacks(source, ...names) {
  const found = {};
  for (const name of names) {
    const f = source[name];
    if (f !== undefined && typeof f !== "function" && !/type$/i.test(name)) throw new TypeError(`${name} must be a function`);
    found[name] = f;
  }
  return found;
}

// convertStrategy gets the parts of a strategy, markOf checks one.
function convertStrategy(strategy) {
  const given = dictionary(strategy, "A queuing strategy");
  const { highWaterMark: mark } = given, { size } = callbacks(given, "size");
  return { mark: mark === undefined ? undefined : Number(mark), size };
}

function markOf({ mark }, otherwise) {
  if (mark === undefined) return otherwise;
  if (Number.isNaN(mark) || mark < 0) throw new RangeError("The high water mark must be a number that is not negative");
  return mark;
}

function strategyOf(strategy, otherwise) {
  const converted = convertStrategy(strategy);
  return { size: converted.size ?? (() => 1), mark: markOf(converted, otherwise) };
}

function sizeOf(size, chunk) {
  const n = Number(size(chunk));
  if (!(n >= 0) || n === Infinity) throw new RangeError("The size of a chunk must be a finite number that is not negative");
  return n;
}

const countSize = { size() { return 1; } }.size;
const byteSize = { size(chunk) { return chunk.byteLength; } }.size;

function strategyMark(init) {
  if (init === null || (typeof init !== "object" && typeof init !== "function")) throw new TypeError("A queuing strategy needs { highWaterMark }");
  const { highWaterMark } = init;
  if (highWaterMark === undefined) throw new TypeError("A queuing strategy needs a highWaterMark");
  return Number(highWaterMark);
}

class CountQueuingStrategy {
  #mark;
  constructor(init) { this.#mark = strategyMark(init); }
  get highWaterMark() { return this.#mark; }
  get size() { return this.#mark, countSize; }
}

class ByteLengthQueuingStrategy {
  #mark;
  constructor(init) { this.#mark = strategyMark(init); }
  get highWaterMark() { return this.#mark; }
  get size() { return this.#mark, byteSize; }
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
    this.bytes = source.bytes;
    this.controller = this.bytes ? new ReadableByteStreamController(internal, this) : new ReadableStreamDefaultController(internal, this);
  }

  start() {
    const { start, self } = this.source;
    const result = start && Reflect.apply(start, self, [this.controller]);
    upon(Promise.resolve(result), () => {
      this.started = true;
      this.pull();
    }, e => this.fail(e));
  }

  get desired() {
    if (this.phase === "errored") return null;
    return this.phase === "closed" ? 0 : this.strategy.mark - this.size;
  }

  get open() { return this.phase === "readable" && !this.closing; }

  get wanted() { return this.started && this.open && (this.reader?.requests.length > 0 || this.desired > 0); }

  pull() {
    if (!this.wanted || !this.source.pull) return;
    if (this.pulling) return void (this.again = true);
    this.pulling = true;
    upon(promised(this.source.pull, this.source.self, this.controller), () => {
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
        size = this.bytes ? chunk.byteLength : sizeOf(this.strategy.size, chunk);
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

  // read serves a request { resolve, reject, view } now or when there is something;
  // resolve gets what read gives.
  read(request) {
    const { view } = request;
    this.disturbed = true;
    this.body = null;
    if (this.phase === "errored") return request.reject(this.error);
    if (this.phase === "closed") return request.resolve({ value: view && new view.constructor(view.buffer, view.byteOffset, 0), done: true });
    if (this.queue.length === 0) {
      this.reader.requests.push(request);
      return this.pull();
    }
    const { chunk, size } = this.queue.shift();
    this.size = this.queue.length === 0 ? 0 : Math.max(0, this.size - size);
    if (view) this.serve(request, chunk);
    if (this.closing && this.queue.length === 0) this.finish();
    else this.pull();
    if (!view) request.resolve({ value: chunk, done: false });
  }

  cancel(reason) {
    this.disturbed = true;
    this.body = null;
    if (this.phase === "closed") return Promise.resolve();
    if (this.phase === "errored") return Promise.reject(this.error);
    this.queue = [];
    this.size = 0;
    this.finish();
    const { cancel, self } = this.source;
    return cancel ? upon(promised(cancel, self, reason), () => {}) : Promise.resolve();
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

  constructor(source, strategy = {}) {
    if (source === undefined) source = {};
    if (source === null || (typeof source !== "object" && typeof source !== "function")) throw new TypeError("ReadableStream needs an underlying source");
    const converted = convertStrategy(strategy);
    const { cancel, pull, start, type } = callbacks(source, "cancel", "pull", "start", "type");
    if (type !== undefined && String(type) !== "bytes") throw new TypeError(`Invalid type: ${type}`);
    if (type !== undefined && converted.size !== undefined) throw new RangeError("A byte stream has no size of chunks");
    const sizes = { size: converted.size ?? (() => 1), mark: markOf(converted, type === undefined ? 1 : 0) };
    this.#state = new ReadableState({ self: source, cancel, pull, start, bytes: type !== undefined }, sizes);
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
    pair = dictionary(pair, "The pair of streams");
    const { readable } = pair;
    if (!(readable instanceof ReadableStream)) throw new TypeError("pipeThrough needs a readable stream");
    const { writable } = pair;
    if (!(writable instanceof WritableStream)) throw new TypeError("pipeThrough needs a writable stream");
    const how = pipeOptions(options);
    if (this.locked) throw new TypeError("The stream is locked to a reader");
    if (writable.locked) throw new TypeError("The destination is locked to a writer");
    handled(pipe(this, writable, how));
    return readable;
  }

  pipeTo(destination, options) {
    try {
      const { locked } = this;
      if (!(destination instanceof WritableStream)) throw new TypeError("pipeTo needs a WritableStream");
      const how = pipeOptions(options);
      if (locked) throw new TypeError("The stream is locked to a reader");
      if (destination.locked) throw new TypeError("The destination is locked to a writer");
      return pipe(this, destination, how);
    } catch (e) {
      return Promise.reject(e);
    }
  }

  tee() { return tee(this); }

  values(options) {
    const preventCancel = Boolean(dictionary(options, "The options").preventCancel);
    const it = Object.create(streamIterator);
    iterations.set(it, { reader: new ReadableStreamDefaultReader(this), state: this.#state, preventCancel, ended: false, last: Promise.resolve() });
    return it;
  }
}
define(ReadableStream.prototype, Symbol.asyncIterator, ReadableStream.prototype.values);

// https://streams.spec.whatwg.org/#rs-asynciterator: one step after the other.
const iterations = new WeakMap();
const streamIterator = Object.assign(Object.create(Object.getPrototypeOf(Object.getPrototypeOf((async function* () {}).prototype))), {
  next() { return nextStep(this, s => s.ended ? { value: undefined, done: true } : readStep(s)); },
  return(value) { return nextStep(this, s => s.ended ? { value, done: true } : endStep(s, value)); },
});

function nextStep(iterator, step) {
  const s = iterations.get(iterator);
  if (!s) return Promise.reject(new TypeError("Illegal invocation"));
  const run = () => promised(step, undefined, s);
  s.last = s.busy ? upon(s.last, run, run) : run();
  s.busy = (s.busy ?? 0) + 1;
  const done = () => { s.busy--; };
  upon(s.last, done, done);
  return s.last;
}

function readStep(s) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const end = () => {
    s.ended = true;
    s.reader.releaseLock();
  };
  s.state.read({
    resolve(result) {
      if (result.done) end();
      resolve(result);
    },
    reject(e) {
      end();
      reject(e);
    },
  });
  return promise;
}

function endStep(s, value) {
  s.ended = true;
  const canceled = s.preventCancel ? Promise.resolve() : s.state.cancel(value);
  s.reader.releaseLock();
  return upon(canceled, () => ({ value, done: true }));
}

// tee makes two streams of one: https://streams.spec.whatwg.org/#abstract-opdef-readablestreamdefaulttee
function tee(stream) {
  const reader = new ReadableStreamDefaultReader(stream), state = streamState(stream);
  const branches = [], canceled = [undefined, undefined], done = deferred();
  let reading = false, again = false;
  const live = () => branches.filter(b => !b.canceled);
  const pull = () => {
    if (reading) {
      again = true;
      return Promise.resolve();
    }
    reading = true;
    state.read({
      // Later, so that an error that comes at once reaches the branches first.
      resolve: ({ value, done: ended }) => ended ? end() : queueMicrotask(() => {
        again = false;
        for (const b of live()) streamState(b.stream).enqueue(state.bytes && b === branches[1] ? value.slice() : value);
        reading = false;
        if (again) pull();
      }),
      reject: () => { reading = false; },
    });
    return Promise.resolve();
  };
  const end = () => {
    reading = false;
    for (const b of live()) streamState(b.stream).close();
    if (live().length > 0) done.resolve();
  };
  const make = i => {
    branches[i] = { canceled: false };
    branches[i].stream = new ReadableStream({
      type: state.bytes ? "bytes" : undefined,
      pull,
      cancel(reason) {
        branches[i].canceled = true;
        canceled[i] = reason;
        if (live().length === 0) done.resolve(state.cancel(canceled));
        return done.promise;
      },
    });
    return branches[i].stream;
  };
  const both = [make(0), make(1)];
  upon(reader.closed, undefined, e => {
    for (const b of branches) streamState(b.stream).fail(e);
    if (live().length > 0) done.resolve();
  });
  return both;
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
    if (!lock.closed.pending) lock.closed = deferred();
    lock.closed.reject(e);
  }
  static read(reader, view) {
    const { state } = reader.#lock;
    if (!state) return Promise.reject(new TypeError("The reader was released"));
    const { promise, resolve, reject } = Promise.withResolvers();
    state.read({ resolve, reject, view });
    return promise;
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
