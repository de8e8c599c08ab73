// https://streams.spec.whatwg.org/#rs-byob-request-class: what users see of streams of bytes.

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
