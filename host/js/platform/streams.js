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

// promised calls a function and makes a promise of what comes of it: a new one if it is
// of a user, who has a self, as https://webidl.spec.whatwg.org/#js-to-promise wants.
function promised(f, self, ...args) {
  try {
    const result = Reflect.apply(f, self, args);
    return self === undefined ? Promise.resolve(result) : new Promise(resolve => resolve(result));
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
  const found = { __proto__: null }; // which users may have changed otherwise
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

// A source of which nothing is needed any more.
const noSource = Object.freeze({ __proto__: null });

// The state of a readable stream; streamState finds it. Byte streams have one of
// their own in bytestreams.js.
class ReadableState {
  phase = "readable";
  error = undefined;
  reader = null; // of the reader: { requests, closed, state, byob }
  disturbed = false;
  queue = [];
  size = 0;
  closing = false; // close was called, the queue is not empty yet
  started = false;
  pulling = false;
  again = false;
  body = null; // the Body that this stream was made of, as long as nobody reads

  constructor(source, strategy) {
    this.source = source; // { start, pull, cancel, self }; without them when they are not needed any more
    this.strategy = strategy;
    this.controller = this.control();
  }

  control() { return new ReadableStreamDefaultController(internal, this); }

  get bytes() { return false; }

  start() {
    const { start, self } = this.source;
    const result = start && Reflect.apply(start, self, [this.controller]);
    upon(new Promise(resolve => resolve(result)), () => {
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
    if (!this.wanted) return;
    if (this.pulling) return void (this.again = true);
    const { pull, self } = this.source;
    if (!pull) return;
    this.pulling = true;
    upon(promised(pull, self, this.controller), () => {
      this.pulling = false;
      if (this.again) {
        this.again = false;
        this.pull();
      }
    }, e => this.fail(e));
  }

  enqueue(chunk) {
    if (!this.open) throw new TypeError("The stream is closed");
    if (this.reader?.requests.length > 0) this.reader.requests.shift().resolve({ value: chunk, done: false });
    else {
      let size;
      try {
        size = sizeOf(this.strategy.size, chunk);
      } catch (e) {
        this.fail(e);
        throw e;
      }
      this.queue.push({ chunk, size });
      this.size += size;
    }
    this.pull();
  }

  close() {
    if (!this.open) throw new TypeError("The stream is closed");
    this.closing = true;
    if (this.queue.length === 0) this.finish();
  }

  // finish closes the stream. Requests of BYOB readers end with an answer to them.
  finish() {
    if (this.phase !== "readable") return;
    this.phase = "closed";
    this.source = noSource;
    const { reader } = this;
    if (!reader) return;
    reader.closed.resolve();
    if (!reader.byob) for (const r of reader.requests.splice(0)) r.resolve({ value: undefined, done: true });
  }

  fail(e) {
    if (this.phase !== "readable") return;
    this.phase = "errored";
    this.error = e;
    this.source = noSource;
    this.empty();
    const { reader } = this;
    if (!reader) return;
    reader.closed.reject(e);
    for (const r of reader.requests.splice(0)) r.reject(e);
  }

  empty() {
    this.queue = [];
    this.size = 0;
  }

  // read serves a request { resolve, reject } now or when there is something; resolve
  // gets what read gives.
  read(request) {
    this.disturbed = true;
    this.body = null;
    if (this.phase === "errored") return request.reject(this.error);
    if (this.phase === "closed") return request.resolve({ value: undefined, done: true });
    this.readOpen(request);
  }

  readOpen(request) {
    if (this.queue.length === 0) {
      this.reader.requests.push(request);
      return this.pull();
    }
    const { chunk, size } = this.queue.shift();
    this.size = Math.max(0, this.size - size);
    if (this.closing && this.queue.length === 0) this.finish();
    else this.pull();
    request.resolve({ value: chunk, done: false });
  }

  cancel(reason) {
    this.disturbed = true;
    this.body = null;
    if (this.phase === "closed") return Promise.resolve();
    if (this.phase === "errored") return Promise.reject(this.error);
    const { cancel, self } = this.source;
    this.finish();
    if (this.reader?.byob) for (const r of this.reader.requests.splice(0)) r.resolve({ value: undefined, done: true });
    this.empty();
    return cancel ? upon(promised(cancel, self, reason), () => {}) : Promise.resolve();
  }

  // released: a reader is gone.
  released() {}
}

class ReadableStreamDefaultController {
  #state;
  constructor(token = undefined, state = undefined) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#state = state;
  }
  get desiredSize() { return this.#state.desired; }
  close() { this.#state.close(); }
  enqueue(chunk = undefined) { this.#state.enqueue(chunk); }
  error(e = undefined) { this.#state.fail(e); }
}

let streamState, isStream;

class ReadableStream {
  #state;

  static {
    streamState = s => s.#state;
    isStream = v => typeof v === "object" && v !== null && #state in v;
  }

  constructor(source = undefined, strategy = {}) {
    if (source === internal) {
      this.#state = strategy;
      return;
    }
    if (source === undefined) source = {};
    if (source === null || (typeof source !== "object" && typeof source !== "function")) throw new TypeError("ReadableStream needs an underlying source");
    const converted = convertStrategy(strategy);
    const { autoAllocateChunkSize: chunk } = source;
    const chunkSize = chunk === undefined ? undefined : enforceRange(chunk);
    const { cancel, pull, start, type } = callbacks(source, "cancel", "pull", "start", "type");
    if (type !== undefined && String(type) !== "bytes") throw new TypeError(`Invalid type: ${type}`);
    const functions = { __proto__: null, self: source, cancel, pull, start };
    if (type !== undefined) {
      if (converted.size !== undefined) throw new RangeError("A byte stream has no size of chunks");
      this.#state = new ByteState(functions, { mark: markOf(converted, 0) }, chunkSize);
    } else this.#state = new ReadableState(functions, { size: converted.size ?? (() => 1), mark: markOf(converted, 1) });
    this.#state.start();
  }

  static from(iterable) {
    needs(1, arguments);
    return streamFrom(iterable);
  }

  get locked() { return this.#state.reader !== null; }

  cancel(reason = undefined) {
    if (!isStream(this)) return illegal();
    if (this.locked) return Promise.reject(new TypeError("The stream is locked to a reader"));
    return this.#state.cancel(reason);
  }

  getReader(options = {}) {
    this.#state; // eslint-disable-line no-unused-expressions -- it must be one
    const { mode } = dictionary(options, "The options");
    if (mode === undefined) return new ReadableStreamDefaultReader(this);
    if (String(mode) !== "byob") throw new TypeError(`Invalid mode: ${mode}`);
    return new ReadableStreamBYOBReader(this);
  }

  pipeThrough(pair, options = {}) {
    needs(1, arguments);
    const { reader } = this.#state;
    pair = dictionary(pair, "The pair of streams");
    const { readable } = pair;
    if (!isStream(readable)) throw new TypeError("pipeThrough needs a readable stream");
    const { writable } = pair;
    if (!isWritable(writable)) throw new TypeError("pipeThrough needs a writable stream");
    const how = pipeOptions(options);
    if (reader !== null) throw new TypeError("The stream is locked to a reader");
    if (writableState(writable).writer !== null) throw new TypeError("The destination is locked to a writer");
    handled(pipe(this, writable, how));
    return readable;
  }

  pipeTo(destination, options = {}) {
    try {
      const { reader } = this.#state;
      if (!isWritable(destination)) throw new TypeError("pipeTo needs a WritableStream");
      const how = pipeOptions(options);
      if (reader !== null) throw new TypeError("The stream is locked to a reader");
      if (writableState(destination).writer !== null) throw new TypeError("The destination is locked to a writer");
      return pipe(this, destination, how);
    } catch (e) {
      return Promise.reject(e);
    }
  }

  tee() { return this.#state.bytes ? teeBytes(this) : tee(this); }

  values(options = {}) {
    const preventCancel = Boolean(dictionary(options, "The options").preventCancel);
    const it = Object.create(streamIterator);
    iterations.set(it, { lock: lockOf(this), preventCancel, ended: false, ongoing: null });
    return it;
  }
}
define(ReadableStream.prototype, Symbol.asyncIterator, ReadableStream.prototype.values);

// streamOfState makes a stream of ours.
function streamOfState(state) {
  const stream = new ReadableStream(internal, state);
  state.start();
  return stream;
}

// https://streams.spec.whatwg.org/#readable-stream-from-iterable
function streamFrom(iterable) {
  if (iterable === null || iterable === undefined) throw new TypeError("ReadableStream.from needs something to iterate over");
  const { iterator, synchronous } = iteratorOf(iterable), { next } = iterator;
  const result = async (f, self, ...args) => {
    const r = await Reflect.apply(f, self, args);
    if (r === null || typeof r !== "object" && typeof r !== "function") throw new TypeError("An iterator must give objects");
    return r;
  };
  const state = new ReadableState({
    __proto__: null,
    async pull() {
      const r = await result(next, iterator);
      if (r.done) state.close();
      else state.enqueue(synchronous ? await r.value : r.value);
    },
    async cancel(reason) {
      const end = iterator.return;
      if (end !== undefined && end !== null) await result(end, iterator, reason);
    },
  }, { size: () => 1, mark: 0 });
  return streamOfState(state);
}

// The iterator that an object gives for "for await".
function iteratorOf(iterable) {
  const method = iterable[Symbol.asyncIterator];
  const given = method !== undefined && method !== null;
  const begin = given ? method : iterable[Symbol.iterator];
  if (typeof begin !== "function") throw new TypeError("ReadableStream.from needs something to iterate over");
  const iterator = Reflect.apply(begin, iterable, []);
  if (iterator === null || typeof iterator !== "object" && typeof iterator !== "function") throw new TypeError("An iterator must be an object");
  return { iterator, synchronous: !given };
}

// https://streams.spec.whatwg.org/#rs-asynciterator and
// https://webidl.spec.whatwg.org/#js-asynchronous-iterable: one step after the other.
const iterations = new WeakMap();
const streamIterator = Object.assign(Object.create(Object.getPrototypeOf(Object.getPrototypeOf((async function* () {}).prototype))), {
  next() {
    const s = iterations.get(this);
    return s ? s.ongoing = afterOngoing(s, () => nextStep(s)) : illegal();
  },
  return(value) {
    const s = iterations.get(this);
    if (!s) return illegal();
    s.ongoing = afterOngoing(s, () => returnStep(s, value));
    return upon(s.ongoing, () => ({ value, done: true }));
  },
});

const afterOngoing = (s, step) => s.ongoing ? upon(s.ongoing, step, step) : step();

function nextStep(s) {
  if (s.ended) {
    s.ongoing = null;
    return Promise.resolve({ value: undefined, done: true });
  }
  const { promise, resolve, reject } = Promise.withResolvers();
  s.lock.state.read({
    resolve(result) {
      if (result.done) releaseReader(s.lock);
      resolve(result);
    },
    reject(e) {
      releaseReader(s.lock);
      reject(e);
    },
  });
  return upon(promise, result => {
    s.ongoing = null;
    if (result.done) s.ended = true;
    return result;
  }, e => {
    s.ongoing = null;
    s.ended = true;
    throw e;
  });
}

function returnStep(s, value) {
  if (s.ended) return Promise.resolve();
  s.ended = true;
  const canceled = s.preventCancel ? Promise.resolve() : s.lock.state.cancel(value);
  releaseReader(s.lock);
  return canceled;
}

// tee makes two streams of one: https://streams.spec.whatwg.org/#abstract-opdef-readablestreamdefaulttee
function tee(stream) {
  const lock = lockOf(stream), { state } = lock;
  const canceled = [false, false], reasons = [undefined, undefined], done = deferred();
  let reading = false, again = false;
  const live = () => branches.filter((_, i) => !canceled[i]);
  const pull = () => {
    if (reading) {
      again = true;
      return Promise.resolve();
    }
    reading = true;
    state.read({
      // Later, so that an error that comes at once reaches the branches first.
      resolve: result => result.done ? end() : queueMicrotask(() => {
        again = false;
        for (const b of live()) if (b.open) b.enqueue(result.value);
        reading = false;
        if (again) pull();
      }),
      reject: () => { reading = false; },
    });
    return Promise.resolve();
  };
  const end = () => {
    reading = false;
    for (const b of live()) if (b.open) b.close();
    if (live().length > 0) done.resolve();
  };
  const branches = [0, 1].map(i => new ReadableState({ __proto__: null, pull, cancel: reason => cancelBranch(state, { canceled, reasons, done }, i, reason) }, { size: () => 1, mark: 1 }));
  const streams = branches.map(streamOfState);
  upon(lock.closed.promise, undefined, e => {
    for (const b of branches) b.fail(e);
    if (live().length > 0) done.resolve();
  });
  return streams;
}

// cancelBranch cancels a stream once both of its branches are.
function cancelBranch(state, { canceled, reasons, done }, i, reason) {
  canceled[i] = true;
  reasons[i] = reason;
  if (canceled[1 - i]) done.resolve(state.cancel(reasons));
  return done.promise;
}

// lockOf locks a stream to a reader, which is all that a reader of ours is.
function lockOf(stream, byob = false) {
  if (!isStream(stream)) throw new TypeError("A reader needs a ReadableStream");
  const state = streamState(stream);
  if (state.reader !== null) throw new TypeError("The stream is locked to a reader");
  return lockState(state, byob);
}

function lockState(state, byob) {
  const closed = deferred();
  if (state.phase === "closed") closed.resolve();
  if (state.phase === "errored") closed.reject(state.error);
  return state.reader = { requests: [], closed, state, byob };
}

function releaseReader(lock) {
  const { state } = lock;
  if (!state) return;
  const e = new TypeError("The reader was released");
  if (!lock.closed.pending) lock.closed = deferred();
  lock.closed.reject(e);
  state.released();
  state.reader = null;
  lock.state = null;
  for (const r of lock.requests.splice(0)) r.reject(e);
}

const illegal = () => Promise.reject(new TypeError("Illegal invocation"));
const released = () => Promise.reject(new TypeError("The reader was released"));

class ReadableStreamDefaultReader {
  #lock;
  constructor(stream) { this.#lock = lockOf(stream); }

  get closed() { return #lock in Object(this) ? this.#lock.closed.promise : illegal(); }

  cancel(reason = undefined) {
    if (!(#lock in Object(this))) return illegal();
    return this.#lock.state?.cancel(reason) ?? released();
  }

  read() {
    if (!(#lock in Object(this))) return illegal();
    const { state } = this.#lock;
    if (!state) return released();
    const { promise, resolve, reject } = Promise.withResolvers();
    state.read({ resolve, reject });
    return promise;
  }

  releaseLock() { releaseReader(this.#lock); }
}
