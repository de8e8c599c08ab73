// https://streams.spec.whatwg.org/#rbs-controller-class: the state of a readable stream
// of bytes. The names of steps are those of the standard where they are steps of it.

const { transfer: bufferTransfer } = ArrayBuffer.prototype;
const transferBuffer = buffer => Reflect.apply(bufferTransfer, buffer, []);

// The constructor of a view; users may have changed its property.
const { get: viewTag } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);
const viewClasses = new Map();
for (const name of ["Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array",
  "Float16Array", "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array"]) {
  if (globalThis[name]) viewClasses.set(name, globalThis[name]);
}
const viewClass = view => viewClasses.get(Reflect.apply(viewTag, view, [])) ?? DataView;

// https://webidl.spec.whatwg.org/#EnforceRange of an unsigned long long
function enforceRange(v) {
  const n = Math.trunc(Number(v));
  if (!(n >= 0 && n <= Number.MAX_SAFE_INTEGER)) throw new TypeError(`${v} is no size`);
  return n;
}

class ByteState extends ReadableState {
  pulls = []; // what is to be filled: pull-into descriptors
  request = null; // the ReadableStreamBYOBRequest of the first one

  constructor(source, strategy, chunkSize) {
    super(source, strategy);
    if (chunkSize === 0) throw new TypeError("autoAllocateChunkSize must be more than 0");
    this.chunkSize = chunkSize; // undefined where nothing is to be allocated
  }

  control() { return new ReadableByteStreamController(internal, this); }

  get bytes() { return true; }

  // enqueue takes bytes whose buffer nobody else has.
  enqueue(bytes) {
    if (!this.open) throw new TypeError("The stream is closed");
    const first = this.pulls[0];
    if (first) {
      if (first.buffer.detached) throw new TypeError("The buffer of the BYOB request is detached");
      this.invalidate();
      first.buffer = transferBuffer(first.buffer);
      if (first.reader === "none") this.keepFilled(first);
    }
    const { reader } = this;
    if (reader && !reader.byob) {
      this.serveQueue();
      if (reader.requests.length === 0) this.push(bytes);
      else {
        if (this.pulls.length > 0) this.pulls.shift();
        reader.requests.shift().resolve({ value: bytes, done: false });
      }
    } else {
      this.push(bytes);
      if (reader) this.commitFilled();
    }
    this.pull();
  }

  push(bytes) {
    this.queue.push(bytes);
    this.size += bytes.length;
  }

  // pushCopy keeps bytes of a buffer that somebody else has.
  pushCopy(buffer, from, length) {
    let copy;
    try {
      copy = new Uint8Array(buffer, from, length).slice();
    } catch (e) {
      this.fail(e);
      throw e;
    }
    this.push(copy);
  }

  // keepFilled puts what was filled for a reader that is gone into the queue.
  keepFilled(d) {
    if (d.filled > 0) this.pushCopy(d.buffer, d.offset, d.filled);
    this.pulls.shift();
  }

  serveQueue() {
    const { requests } = this.reader;
    while (requests.length > 0 && this.size > 0) requests.shift().resolve({ value: this.shift(), done: false });
  }

  shift() {
    const bytes = this.queue.shift();
    this.size -= bytes.length;
    this.drained();
    return bytes;
  }

  drained() {
    if (this.size === 0 && this.closing) this.finish();
    else this.pull();
  }

  close() {
    if (!this.open) throw new TypeError("The stream is closed");
    if (this.size > 0) return void (this.closing = true);
    const first = this.pulls[0];
    if (first && first.filled % first.width !== 0) {
      const e = new TypeError("The stream is closed in the middle of an element");
      this.fail(e);
      throw e;
    }
    this.closing = true;
    this.finish();
  }

  empty() {
    super.empty();
    this.invalidate();
    this.pulls = [];
  }

  released() {
    const first = this.pulls[0];
    if (!first) return;
    first.reader = "none";
    this.pulls = [first];
  }

  // readOpen serves a reader without buffers of its own.
  readOpen(request) {
    if (this.size > 0) return request.resolve({ value: this.shift(), done: false });
    if (this.chunkSize !== undefined) {
      let buffer;
      try {
        buffer = new ArrayBuffer(this.chunkSize);
      } catch (e) {
        return request.reject(e);
      }
      this.pulls.push({ buffer, total: this.chunkSize, offset: 0, length: this.chunkSize, filled: 0, least: 1, width: 1, view: Uint8Array, reader: "default" });
    }
    this.reader.requests.push(request);
    this.pull();
  }

  // readInto serves a reader that has a view, of which elements are to be filled.
  readInto(view, elements, request) {
    this.disturbed = true;
    this.body = null;
    if (this.phase === "errored") return request.reject(this.error);
    const make = viewClass(view), width = make.BYTES_PER_ELEMENT ?? 1, { byteOffset: offset, byteLength: length } = view;
    let buffer;
    try {
      buffer = transferBuffer(view.buffer);
    } catch (e) {
      return request.reject(e);
    }
    const d = { buffer, total: buffer.byteLength, offset, length, filled: 0, least: elements * width, width, view: make, reader: "byob" };
    if (this.pulls.length === 0) {
      if (this.phase === "closed") return request.resolve({ value: new make(buffer, offset, 0), done: true });
      if (this.size > 0) {
        if (this.fill(d)) {
          const value = viewOf(d);
          this.drained();
          return request.resolve({ value, done: false });
        }
        if (this.closing) {
          const e = new TypeError("The stream ends in the middle of an element");
          this.fail(e);
          return request.reject(e);
        }
      }
    }
    this.pulls.push(d);
    this.reader.requests.push(request);
    if (this.pulls.length === 1) this.pull();
  }

  // fill copies from the queue, and says whether that is enough.
  fill(d) {
    const most = Math.min(this.size, d.length - d.filled), end = d.filled + most;
    const aligned = end - end % d.width, enough = aligned >= d.least;
    let rest = enough ? aligned - d.filled : most;
    const to = new Uint8Array(d.buffer, d.offset, d.length);
    while (rest > 0) {
      const head = this.queue[0], n = Math.min(rest, head.length);
      to.set(n === head.length ? head : head.subarray(0, n), d.filled);
      if (n === head.length) this.queue.shift();
      else this.queue[0] = head.subarray(n);
      this.size -= n;
      d.filled += n;
      rest -= n;
    }
    return enough;
  }

  // commitFilled answers what can be filled from the queue.
  commitFilled() {
    const filled = [];
    while (this.pulls.length > 0 && this.size > 0 && this.fill(this.pulls[0])) filled.push(this.pulls.shift());
    for (const d of filled) this.commit(d);
  }

  commit(d) {
    const value = viewOf(d), done = this.phase === "closed";
    this.reader.requests.shift().resolve(d.reader === "default" && done ? { value: undefined, done } : { value, done });
  }

  byobRequest() {
    const first = this.pulls[0];
    if (!this.request && first) {
      const view = new Uint8Array(first.buffer, first.offset + first.filled, first.length - first.filled);
      this.request = new ReadableStreamBYOBRequest(internal, this, view);
    }
    return this.request;
  }

  invalidate() {
    if (!this.request) return;
    dropRequest(this.request);
    this.request = null;
  }

  respond(n) {
    const first = this.pulls[0];
    if (this.phase === "closed") {
      if (n !== 0) throw new TypeError("The stream is closed: there can be 0 bytes only");
    } else {
      if (n === 0) throw new TypeError("A stream that is open needs more than 0 bytes");
      if (first.filled + n > first.length) throw new RangeError("More bytes than the request has room for");
    }
    first.buffer = transferBuffer(first.buffer);
    this.responded(n);
  }

  respondWith(view) {
    const first = this.pulls[0], { byteLength, byteOffset, buffer } = view;
    if (this.phase === "closed") {
      if (byteLength !== 0) throw new TypeError("The stream is closed: the view must be empty");
    } else if (byteLength === 0) throw new TypeError("A stream that is open needs a view that is not empty");
    if (first.offset + first.filled !== byteOffset) throw new RangeError("The view must begin where that of the request does");
    if (first.total !== buffer.byteLength) throw new RangeError("The buffer must be as long as that of the request");
    if (first.filled + byteLength > first.length) throw new RangeError("The view is longer than that of the request");
    first.buffer = transferBuffer(buffer);
    this.responded(byteLength);
  }

  // endPulls ends the requests of a stream that was closed.
  endPulls() { if (this.pulls.length > 0 && this.phase === "closed") this.respond(0); }

  responded(n) {
    const first = this.pulls[0];
    this.invalidate();
    if (this.phase === "closed") this.respondClosed(first);
    else this.respondOpen(n, first);
    this.pull();
  }

  respondClosed(first) {
    if (first.reader === "none") this.pulls.shift();
    if (!this.reader?.byob) return;
    for (const d of this.pulls.splice(0, this.reader.requests.length)) this.commit(d);
  }

  respondOpen(n, d) {
    d.filled += n;
    if (d.reader === "none") {
      this.keepFilled(d);
      return this.commitFilled();
    }
    if (d.filled < d.least) return;
    this.pulls.shift();
    const over = d.filled % d.width;
    if (over > 0) this.pushCopy(d.buffer, d.offset + d.filled - over, over);
    d.filled -= over;
    const others = [];
    while (this.pulls.length > 0 && this.size > 0 && this.fill(this.pulls[0])) others.push(this.pulls.shift());
    this.commit(d);
    for (const other of others) this.commit(other);
  }
}

const viewOf = d => new d.view(transferBuffer(d.buffer), d.offset, d.filled / d.width);

// viewArgument checks a view of a user.
function viewArgument(view) {
  if (!ArrayBuffer.isView(view)) throw new TypeError("A view of an ArrayBuffer is needed");
  if (!(view.buffer instanceof ArrayBuffer)) throw new TypeError("A view of shared memory is not taken");
  return view;
}

class ReadableByteStreamController {
  #state;
  constructor(token = undefined, state = undefined) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#state = state;
  }
  get byobRequest() { return this.#state.byobRequest(); }
  get desiredSize() { return this.#state.desired; }
  close() { this.#state.close(); }
  enqueue(chunk) {
    const state = this.#state;
    needs(1, arguments);
    const { buffer, byteOffset, byteLength } = viewArgument(chunk);
    if (byteLength === 0) throw new TypeError("A byte stream takes no empty chunks");
    if (!state.open) throw new TypeError("The stream is closed");
    state.enqueue(new Uint8Array(transferBuffer(buffer), byteOffset, byteLength));
  }
  error(e = undefined) { this.#state.fail(e); }
}

let dropRequest;

class ReadableStreamBYOBRequest {
  #state; #view;

  static {
    dropRequest = r => {
      r.#state = undefined;
      r.#view = null;
    };
  }

  constructor(token = undefined, state = undefined, view = undefined) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#state = state;
    this.#view = view;
  }

  get view() { return this.#view; }

  #held() {
    if (!this.#state) throw new TypeError("The request was answered already");
    return this.#state;
  }

  respond(bytesWritten) {
    this.#view; // eslint-disable-line no-unused-expressions -- it must be one
    needs(1, arguments);
    const n = enforceRange(bytesWritten), state = this.#held();
    if (this.#view.buffer.detached) throw new TypeError("The buffer of the request is detached");
    state.respond(n);
  }

  respondWithNewView(view) {
    this.#view; // eslint-disable-line no-unused-expressions -- it must be one
    needs(1, arguments);
    viewArgument(view);
    const state = this.#held();
    if (view.buffer.detached) throw new TypeError("The buffer of the view is detached");
    state.respondWith(view);
  }
}

class ReadableStreamBYOBReader {
  #lock;

  constructor(stream) {
    if (!isStream(stream)) throw new TypeError("A reader needs a ReadableStream");
    const state = streamState(stream);
    if (state.reader !== null) throw new TypeError("The stream is locked to a reader");
    if (!state.bytes) throw new TypeError("Only a byte stream has a BYOB reader");
    this.#lock = lockState(state, true);
  }

  get closed() { return #lock in Object(this) ? this.#lock.closed.promise : illegal(); }

  cancel(reason = undefined) {
    if (!(#lock in Object(this))) return illegal();
    return this.#lock.state?.cancel(reason) ?? released();
  }

  read(view, options = {}) {
    try {
      const lock = this.#lock;
      needs(1, arguments);
      viewArgument(view);
      const { min } = dictionary(options, "The options"), least = min === undefined ? 1 : enforceRange(min);
      checkView(view, least);
      if (!lock.state) return released();
      const { promise, resolve, reject } = Promise.withResolvers();
      lock.state.readInto(view, least, { resolve, reject });
      return promise;
    } catch (e) {
      return Promise.reject(e);
    }
  }

  // readAtLeast is an extension of Workers, older than the option min.
  readAtLeast(min, view) { return this.read(view, { min }); }

  releaseLock() { releaseReader(this.#lock); }
}

function checkView(view, least) {
  if (view.byteLength === 0) throw new TypeError("read needs a view that is not empty");
  if (view.buffer.detached) throw new TypeError("The buffer of the view is detached");
  if (least === 0) throw new TypeError("min must be more than 0");
  if (least > (view.length ?? view.byteLength)) throw new RangeError("min is more than the view has");
}

// https://streams.spec.whatwg.org/#abstract-opdef-readablebytestreamtee
class ByteTee {
  reading = false;
  again = [false, false];
  canceled = [false, false];
  reasons = [undefined, undefined];
  done = deferred();

  constructor(stream) {
    this.state = streamState(stream);
    this.branches = [0, 1].map(i => new ByteState({
      __proto__: null,
      pull: () => this.pull(i), cancel: reason => cancelBranch(this.state, this, i, reason),
    }, { mark: 0 }));
    this.lock(lockOf(stream));
  }

  lock(lock) {
    this.reader = lock;
    upon(lock.closed.promise, undefined, e => {
      if (lock !== this.reader) return;
      for (const b of this.branches) b.fail(e);
      this.finish();
    });
  }

  // become has the reader be of a kind.
  become(byob) {
    if (this.reader.byob === byob) return;
    const old = this.reader;
    this.reader = null; // so that its end is not taken for that of the stream
    releaseReader(old);
    this.lock(lockState(this.state, byob));
  }

  finish() { if (!this.canceled[0] || !this.canceled[1]) this.done.resolve(); }

  pull(i) {
    if (this.reading) this.again[i] = true;
    else {
      this.reading = true;
      const request = this.branches[i].byobRequest();
      if (request === null) this.pullDefault();
      else this.pullInto(request.view, i);
    }
    return Promise.resolve();
  }

  // later runs after the microtask in which an error reaches the branches first.
  later(step) {
    queueMicrotask(() => {
      this.again = [false, false];
      try {
        step();
      } catch (e) {
        for (const b of this.branches) b.fail(e);
        this.done.resolve(this.state.cancel(e));
        return;
      }
      this.reading = false;
      const i = this.again.indexOf(true);
      if (i >= 0) this.pull(i);
    });
  }

  pullDefault() {
    this.become(false);
    this.state.read({
      resolve: ({ value, done }) => done ? this.ended(0) : this.later(() => {
        const copy = this.canceled.includes(true) ? value : value.slice();
        this.give(0, value);
        this.give(1, copy);
      }),
      reject: () => { this.reading = false; },
    });
  }

  pullInto(view, i) {
    this.become(true);
    this.state.readInto(view, 1, {
      resolve: ({ value, done }) => done ? this.ended(i, value) : this.later(() => {
        const copy = this.canceled[1 - i] ? null : bytesOf(value).slice();
        if (!this.canceled[i]) this.branches[i].respondWith(value);
        this.give(1 - i, copy);
      }),
      reject: () => { this.reading = false; },
    });
  }

  give(i, bytes) { if (!this.canceled[i] && this.branches[i].open) this.branches[i].enqueue(bytes); }

  // ended closes the branches; view is that of the branch i, of a BYOB reader.
  ended(i, view) {
    this.reading = false;
    for (const n of [0, 1]) if (!this.canceled[n] && this.branches[n].open) this.branches[n].close();
    for (const n of [i, 1 - i]) {
      const branch = this.branches[n];
      if (n === i && view !== undefined) {
        if (!this.canceled[n]) branch.respondWith(view);
      } else if (branch.pulls.length > 0 && !(view !== undefined && this.canceled[n])) branch.respond(0);
    }
    this.finish();
  }
}

function teeBytes(stream) {
  return new ByteTee(stream).branches.map(streamOfState);
}

// streamOf is a stream of bytes, which are copied when they are read.
function streamOf(bytes) {
  const state = new ByteState({
    __proto__: null,
    pull() {
      if (bytes.length > 0) state.enqueue(bytes.slice());
      state.close();
      state.endPulls();
    },
  }, { mark: 0 });
  return streamOfState(state);
}
