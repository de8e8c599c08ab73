// https://streams.spec.whatwg.org/#ws: the names of steps are those of the standard
// where they are steps of it.

class WritableState {
  phase = "writable"; // or erroring, closed, errored
  error = undefined;
  writer = null; // of the writer: { ready, closed, state }
  pressed = false; // backpressure
  closeRequest = null;
  writing = null; // the request of the write that is under way
  closing = null; // likewise of the close
  pendingAbort = null; // { promise, reason, late }
  requests = []; // of writes, one for each chunk in the queue
  queue = []; // of { chunk, size } and { close } at the end
  size = 0;
  started = false;
  abortController = new AbortController();

  constructor(sink, strategy) {
    this.sink = sink; // null when it is not needed any more
    this.strategy = strategy;
    this.controller = new WritableStreamDefaultController(internal, this);
  }

  start() {
    this.updatePressure(this.desired <= 0);
    const { start, self } = this.sink;
    const result = start && Reflect.apply(start, self, [this.controller]);
    upon(new Promise(resolve => resolve(result)), () => {
      this.started = true;
      this.advance();
    }, e => {
      this.started = true;
      this.dealWithRejection(e);
    });
  }

  call(name, ...args) {
    const { sink } = this;
    return sink?.[name] ? promised(sink[name], sink.self, ...args) : Promise.resolve();
  }

  get desired() { return this.strategy.mark - this.size; }
  get closeQueuedOrInFlight() { return this.closeRequest !== null || this.closing !== null; }

  abort(reason) {
    if (this.phase === "closed" || this.phase === "errored") return Promise.resolve();
    this.abortController.abort(reason);
    if (this.phase === "closed" || this.phase === "errored") return Promise.resolve();
    if (this.pendingAbort) return this.pendingAbort.done.promise;
    const late = this.phase === "erroring", done = deferred();
    this.pendingAbort = { done, reason: late ? undefined : reason, late };
    if (!late) this.startErroring(reason);
    return done.promise;
  }

  close() {
    if (this.phase === "closed" || this.phase === "errored") return Promise.reject(new TypeError("The stream is closed"));
    if (this.closeQueuedOrInFlight) return Promise.reject(new TypeError("The stream is being closed"));
    this.closeRequest = deferred();
    const { promise } = this.closeRequest;
    if (this.writer && this.pressed && this.phase === "writable") this.writer.ready.resolve();
    this.queue.push({ close: true, size: 0 });
    this.advance();
    return promise;
  }

  chunkSize(chunk) {
    if (!this.sink) return 1;
    try {
      return Number((0, this.strategy.size)(chunk));
    } catch (e) {
      this.fail(e);
      return 1;
    }
  }

  // write takes a chunk that was measured.
  write(chunk, size) {
    const request = deferred();
    this.requests.push(request);
    if (!(size >= 0) || size === Infinity) {
      this.fail(new RangeError("The size of a chunk must be a finite number that is not negative"));
      return request.promise;
    }
    this.queue.push({ chunk, size });
    this.size += size;
    if (!this.closeQueuedOrInFlight && this.phase === "writable") this.updatePressure(this.desired <= 0);
    this.advance();
    return request.promise;
  }

  // fail is the error of the controller.
  fail(e) {
    if (this.phase !== "writable") return;
    this.sink = { __proto__: null, self: this.sink?.self, abort: this.sink?.abort };
    this.startErroring(e);
  }

  advance() {
    if (!this.started || this.writing) return;
    if (this.phase === "erroring") return this.finishErroring();
    if (this.queue.length === 0 || this.closing) return;
    if (this.queue[0].close) this.processClose();
    else this.processWrite(this.queue[0].chunk);
  }

  dequeue() {
    const { size } = this.queue.shift();
    this.size = Math.max(0, this.size - size);
  }

  processClose() {
    this.closing = this.closeRequest;
    this.closeRequest = null;
    this.dequeue();
    const closed = this.call("close");
    this.sink = null;
    upon(closed, () => this.finishClose(), e => {
      this.closing.reject(e);
      this.closing = null;
      this.pendingAbort?.done.reject(e);
      this.pendingAbort = null;
      this.dealWithRejection(e);
    });
  }

  finishClose() {
    this.closing.resolve();
    this.closing = null;
    if (this.phase === "erroring") {
      this.error = undefined;
      this.pendingAbort?.done.resolve();
      this.pendingAbort = null;
    }
    this.phase = "closed";
    this.writer?.closed.resolve();
  }

  processWrite(chunk) {
    this.writing = this.requests.shift();
    upon(this.call("write", chunk, this.controller), () => {
      this.writing.resolve();
      this.writing = null;
      this.dequeue();
      if (!this.closeQueuedOrInFlight && this.phase === "writable") this.updatePressure(this.desired <= 0);
      this.advance();
    }, e => {
      this.writing.reject(e);
      this.writing = null;
      this.dealWithRejection(e);
    });
  }

  dealWithRejection(e) {
    if (this.phase === "writable") this.startErroring(e);
    else this.finishErroring();
  }

  startErroring(reason) {
    this.phase = "erroring";
    this.error = reason;
    if (this.writer) rejectReady(this.writer, reason);
    if (!this.writing && !this.closing && this.started) this.finishErroring();
  }

  finishErroring() {
    this.phase = "errored";
    this.queue = [];
    this.size = 0;
    for (const request of this.requests.splice(0)) request.reject(this.error);
    const abort = this.pendingAbort;
    this.pendingAbort = null;
    if (!abort) return this.rejectClose();
    if (abort.late) {
      abort.done.reject(this.error);
      return this.rejectClose();
    }
    const aborted = this.call("abort", abort.reason);
    this.sink = null;
    upon(aborted, () => {
      abort.done.resolve();
      this.rejectClose();
    }, e => {
      abort.done.reject(e);
      this.rejectClose();
    });
  }

  rejectClose() {
    this.closeRequest?.reject(this.error);
    this.closeRequest = null;
    this.writer?.closed.reject(this.error);
  }

  updatePressure(pressed) {
    if (this.writer && pressed !== this.pressed) {
      if (pressed) this.writer.ready = deferred();
      else this.writer.ready.resolve();
    }
    this.pressed = pressed;
  }
}

function settled(e, failed) {
  const d = deferred();
  if (failed) d.reject(e);
  else d.resolve();
  return d;
}

function rejectReady(lock, e) {
  if (lock.ready.pending) lock.ready.reject(e);
  else lock.ready = settled(e, true);
}

class WritableStreamDefaultController {
  #state;
  constructor(token = undefined, state = undefined) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#state = state;
  }
  get signal() { return this.#state.abortController.signal; }
  error(e = undefined) { this.#state.fail(e); }
}

let writableState, isWritable;

class WritableStream {
  #state;

  static {
    writableState = s => s.#state;
    isWritable = v => typeof v === "object" && v !== null && #state in v;
  }

  constructor(sink = undefined, strategy = {}) {
    if (sink === internal) {
      this.#state = strategy;
      return;
    }
    if (sink === undefined) sink = {};
    if (sink === null || (typeof sink !== "object" && typeof sink !== "function")) throw new TypeError("WritableStream needs an underlying sink");
    const converted = convertStrategy(strategy);
    const { abort, close, start, type, write } = callbacks(sink, "abort", "close", "start", "type", "write");
    if (type !== undefined) throw new RangeError("The type of a sink is reserved");
    const sizes = { size: converted.size ?? (() => 1), mark: markOf(converted, 1) };
    this.#state = new WritableState({ __proto__: null, self: sink, abort, close, start, write }, sizes);
    this.#state.start();
  }

  get locked() { return this.#state.writer !== null; }
  abort(reason = undefined) {
    if (!isWritable(this)) return illegal();
    if (this.locked) return Promise.reject(new TypeError("The stream is locked to a writer"));
    return this.#state.abort(reason);
  }
  close() {
    if (!isWritable(this)) return illegal();
    if (this.locked) return Promise.reject(new TypeError("The stream is locked to a writer"));
    return this.#state.close();
  }
  getWriter() { return new WritableStreamDefaultWriter(this); }
}

let writerLock;

class WritableStreamDefaultWriter {
  #lock;

  static { writerLock = w => w.#lock; }

  constructor(stream) {
    if (!isWritable(stream)) throw new TypeError("A writer needs a WritableStream");
    const state = writableState(stream);
    if (state.writer) throw new TypeError("The stream is locked to a writer");
    const { phase, error } = state, waits = phase === "writable" && !state.closeQueuedOrInFlight && state.pressed;
    const failed = phase === "errored";
    this.#lock = state.writer = {
      state,
      ready: waits ? deferred() : settled(error, failed || phase === "erroring"),
      closed: failed || phase === "closed" ? settled(error, failed) : deferred(),
    };
  }

  get closed() { return #lock in Object(this) ? this.#lock.closed.promise : Promise.reject(new TypeError("Illegal invocation")); }
  get ready() { return #lock in Object(this) ? this.#lock.ready.promise : Promise.reject(new TypeError("Illegal invocation")); }

  get desiredSize() {
    const { state } = this.#lock;
    if (!state) throw new TypeError("The writer was released");
    if (state.phase === "errored" || state.phase === "erroring") return null;
    return state.phase === "closed" ? 0 : state.desired;
  }

  #held() {
    if (!this.#lock.state) throw new TypeError("The writer was released");
    return this.#lock.state;
  }

  abort(reason = undefined) {
    try { return this.#held().abort(reason); } catch (e) { return Promise.reject(e); }
  }

  close() {
    try { return this.#held().close(); } catch (e) { return Promise.reject(e); }
  }

  write(chunk = undefined) {
    try {
      return writeTo(this.#lock, this.#held(), chunk);
    } catch (e) {
      return Promise.reject(e);
    }
  }

  releaseLock() {
    if (this.#lock.state) releaseWriter(this.#lock);
  }
}

// writeTo is a write by a writer, which the size of the chunk may have released.
function writeTo(lock, state, chunk) {
  const size = state.chunkSize(chunk);
  if (lock.state !== state) throw new TypeError("The writer was released");
  if (state.phase === "errored") throw state.error;
  if (state.closeQueuedOrInFlight || state.phase === "closed") throw new TypeError("The stream is closed");
  if (state.phase === "erroring") throw state.error;
  return state.write(chunk, size);
}

function releaseWriter(lock) {
  const e = new TypeError("The writer was released");
  rejectReady(lock, e);
  if (lock.closed.pending) lock.closed.reject(e);
  else lock.closed = settled(e, true);
  lock.state.writer = null;
  lock.state = null;
}
