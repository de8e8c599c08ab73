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
