// https://streams.spec.whatwg.org/#ts

class TransformState {
  pressed = undefined; // backpressure of the readable side
  change = null; // fulfilled when pressed changes
  finishing = null; // a promise, once it is being canceled, aborted or closed

  constructor(transformer) {
    this.transformer = transformer; // null when it is not needed any more
    this.controller = new TransformStreamDefaultController(internal, this);
    this.press(true);
  }

  press(pressed) {
    this.change?.resolve();
    this.change = deferred();
    this.pressed = pressed;
  }

  error(e) {
    this.readable.fail(e);
    this.failWritable(e);
  }

  failWritable(e) {
    this.transformer = null;
    this.writable.fail(e);
    if (this.pressed) this.press(false);
  }

  enqueue(chunk) {
    const { readable } = this;
    if (!readable.open) throw new TypeError("The readable side is closed");
    try {
      readable.enqueue(chunk);
    } catch (e) {
      this.failWritable(e);
      throw readable.error;
    }
    if (!readable.wanted !== this.pressed) this.press(true);
  }

  terminate() {
    if (this.readable.open) this.readable.close();
    this.failWritable(new TypeError("The stream was terminated"));
  }

  call(name, ...args) {
    const { transformer } = this;
    return transformer?.[name] ? promised(transformer[name], transformer.self, ...args) : Promise.resolve();
  }

  write(chunk) {
    if (!this.pressed) return this.transform(chunk);
    return upon(this.change.promise, () => {
      if (this.writable.phase === "erroring") throw this.writable.error;
      return this.transform(chunk);
    });
  }

  transform(chunk) {
    let result;
    if (this.transformer?.transform) result = this.call("transform", chunk, this.controller);
    else result = promised(() => this.enqueue(chunk));
    return upon(result, undefined, e => {
      this.error(e);
      throw e;
    });
  }

  // finish ends both sides by a function of the transformer, once.
  finish(name, args, done, failed) {
    if (this.finishing) return this.finishing.promise;
    const finishing = this.finishing = deferred();
    const result = this.call(name, ...args);
    this.transformer = null;
    upon(result, () => {
      const failure = done();
      if (failure) finishing.reject(failure.error);
      else finishing.resolve();
    }, e => {
      failed(e);
      finishing.reject(e);
    });
    return finishing.promise;
  }

  abort(reason) {
    return this.finish("cancel", [reason], () => {
      if (this.readable.phase === "errored") return this.readable;
      this.readable.fail(reason);
    }, e => this.readable.fail(e));
  }

  close() {
    return this.finish("flush", [this.controller], () => {
      if (this.readable.phase === "errored") return this.readable;
      if (this.readable.open) this.readable.close();
    }, e => this.readable.fail(e));
  }

  cancel(reason) {
    return this.finish("cancel", [reason], () => {
      if (this.writable.phase === "errored") return this.writable;
      this.failWritable(reason);
    }, e => this.failWritable(e));
  }
}

class TransformStreamDefaultController {
  #state;
  constructor(token = undefined, state = undefined) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#state = state;
  }
  get desiredSize() { return this.#state.readable.desired; }
  enqueue(chunk = undefined) { this.#state.enqueue(chunk); }
  error(e = undefined) { this.#state.error(e); }
  terminate() { this.#state.terminate(); }
}

class TransformStream {
  #readable; #writable;

  constructor(transformer = undefined, writableStrategy = {}, readableStrategy = {}) {
    if (transformer === undefined) transformer = {};
    if (transformer === null || (typeof transformer !== "object" && typeof transformer !== "function")) throw new TypeError("TransformStream needs a transformer");
    const w = convertStrategy(writableStrategy), r = convertStrategy(readableStrategy);
    const found = callbacks(transformer, "cancel", "flush", "readableType", "start", "transform", "writableType");
    if (found.readableType !== undefined || found.writableType !== undefined) throw new RangeError("The types of a transformer are reserved");
    const readable = { size: r.size ?? (() => 1), mark: markOf(r, 0) }, writable = { size: w.size ?? (() => 1), mark: markOf(w, 1) };
    const begun = deferred(), state = new TransformState({ __proto__: null, self: transformer, ...found });
    state.writable = new WritableState({
      __proto__: null,
      start: () => begun.promise, write: chunk => state.write(chunk), close: () => state.close(), abort: reason => state.abort(reason),
    }, writable);
    this.#writable = new WritableStream(internal, state.writable);
    state.writable.start();
    state.readable = new ReadableState({
      __proto__: null,
      start: () => begun.promise,
      pull() {
        state.press(false);
        return state.change.promise;
      },
      cancel: reason => state.cancel(reason),
    }, readable);
    this.#readable = streamOfState(state.readable);
    begun.resolve(found.start && Reflect.apply(found.start, transformer, [state.controller]));
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

