// What Request and Response have in common:
// https://fetch.spec.whatwg.org/#body-mixin

let bodyOf, useBody;

class Body {
  // What the body is: null, a string, bytes, a ReadableStream, or a number, which
  // is the handle of a body that the host has.
  #content; #used = false; #stream = null; #headers;

  static {
    bodyOf = b => b.#stream ?? b.#content;
    // useBody takes the content for good.
    useBody = b => {
      b.#mustBeUsable();
      const content = b.#stream ?? b.#content;
      if (content !== null) b.#used = true;
      if (content instanceof ReadableStream && streamState(content).body) {
        const state = streamState(content), source = state.body;
        lockOf(content);
        state.body = null;
        return source.#content;
      }
      return content;
    };
  }

  constructor(content, headers) {
    this.#content = content;
    this.#headers = headers;
  }

  // renew gives a body whose content was taken another one.
  static renew(b, content) {
    b.#content = content;
    b.#stream = null;
    b.#used = false;
  }

  #mustBeUsable() {
    if (this.bodyUsed) throw new TypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.");
    if (this.#stream?.locked || this.#content?.locked) throw new TypeError("This ReadableStream is currently locked to a reader.");
  }

  get body() {
    const content = this.#content;
    if (content === null || content instanceof ReadableStream) return content;
    return this.#stream ??= this.#open(content);
  }

  #open(content) {
    if (this.#used) { // what reads it has it locked
      const taken = streamOf(new Uint8Array());
      lockOf(taken);
      streamState(taken).disturbed = true;
      return taken;
    }
    const opened = typeof content === "number" ? streamOfHandle(content) : streamOf(typeof content === "string" ? utf8(content) : content);
    streamState(opened).body = this;
    return opened;
  }

  get bodyUsed() {
    const stream = this.#stream ?? (this.#content instanceof ReadableStream ? this.#content : null);
    return this.#used || (stream !== null && streamState(stream).disturbed);
  }

  async text() {
    const content = useBody(this);
    if (typeof content === "string") return content.toWellFormed();
    if (content === null) return "";
    if (typeof content === "number") return withoutBOM(await readHandle(content, "text"));
    return withoutBOM(fromUTF8((await readAll(content)).bytes));
  }

  async json() { return JSON.parse(await this.text()); }
  async bytes() { return (await readAll(useBody(this))).bytes.slice(); }
  async arrayBuffer() { return bufferOf((await readAll(useBody(this))).bytes.slice()); }
  async blob() { return new Blob([(await readAll(useBody(this))).bytes], { type: this.#headers().get("content-type") ?? "" }); }

  async formData() {
    const type = this.#headers().get("content-type") ?? "";
    const { bytes } = await readAll(useBody(this));
    if (/^multipart\/form-data\s*(;|$)/i.test(type)) {
      const boundary = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type);
      if (!boundary) throw new TypeError("No boundary in the Content-Type of the form");
      return parseMultipart(bytes, boundary[1] ?? boundary[2]);
    }
    if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) {
      throw new TypeError(`Unrecognized Content-Type header value. FormData can only parse the following MIME types: multipart/form-data, application/x-www-form-urlencoded`);
    }
    const form = new FormData();
    for (const [name, value] of new URLSearchParams(fromUTF8(bytes))) form.append(name, value);
    return form;
  }
}

const withoutBOM = text => text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;

// boxed is bytes as a promise may give them: users can't make it a thenable.
const boxed = bytes => ({ __proto__: null, bytes });

// readAll reads any content to its end; what it gives is boxed.
async function readAll(content) {
  if (content === null) return boxed(new Uint8Array());
  if (typeof content === "string") return boxed(utf8(content));
  if (typeof content === "number") return readHandle(content);
  if (content instanceof Uint8Array) return boxed(content);
  return drain(content);
}

// drain reads a stream to its end, past what users may have changed of it.
function drain(stream) {
  const { state } = lockOf(stream), chunks = [];
  return new Promise((resolve, reject) => {
    const next = () => state.read({
      reject,
      resolve({ value, done }) {
        if (done) return resolve(boxed(chunks.length === 1 ? chunks[0] : join(chunks)));
        if (value instanceof Uint8Array) {
          chunks.push(value);
          return void upon(Promise.resolve(), next);
        }
        const e = new TypeError("A body must consist of Uint8Arrays");
        reject(e);
        handled(state.cancel(e));
      },
    });
    next();
  });
}

// Signals that end bodies of responses, by the handles of those.
const endings = new Map(); // handle: { signal, end }

// endBody has a signal end a body. Only who reads it closes the handle, and the signal is
// not listened to any more then: its number may name something else soon.
function endBody(signal, handle) {
  const end = () => { ask(opCancelBody, handle); };
  endings.set(handle, { signal, end });
  signal.addEventListener("abort", end, { once: true });
}

// closeBody closes the handle of a body.
function closeBody(handle) {
  const ending = endings.get(handle);
  ending?.signal.removeEventListener("abort", ending.end);
  endings.delete(handle);
  closeHandle(handle);
}

// bodyResult is what came of reading a body. One that a signal has ended fails with the
// signal's reason.
function bodyResult(job, handle, as) {
  const signal = endings.get(handle)?.signal;
  if (!signal?.aborted) return ask(opResult, job, as);
  closeHandle(job);
  throw signal.reason;
}

// readHandle reads a body that the host has, as bytes or as text.
async function readHandle(handle, as) {
  const job = ask(opBodyAll, handle);
  await finished(job);
  try {
    const result = bodyResult(job, handle, as);
    return as ? result : boxed(result);
  } finally {
    closeBody(handle);
  }
}

function streamOfHandle(handle) {
  let open = true;
  const close = () => {
    if (open) closeBody(handle);
    open = false;
  };
  const state = new ByteState({
    __proto__: null,
    async pull() {
      const job = ask(opBodyRead, handle);
      await finished(job);
      let bytes;
      try {
        bytes = bodyResult(job, handle);
      } catch (e) {
        close();
        throw e;
      }
      if (bytes !== null) return state.open ? state.enqueue(bytes) : undefined;
      close();
      if (state.open) state.close();
      state.endPulls();
    },
    cancel: close,
  }, { mark: 0 });
  return streamOfState(state);
}

// extract makes the content of what a user gave, and the type that goes with it.
// https://fetch.spec.whatwg.org/#concept-bodyinit-extract
function extract(init) {
  if (typeof init === "string") return [init, "text/plain;charset=UTF-8"];
  if (init === null || init === undefined) return [null, null];
  if (init instanceof ReadableStream) {
    if (init.locked || streamState(init).disturbed) throw new TypeError("This ReadableStream is disturbed (has already been read from), and cannot be used as a body.");
    return [init, null];
  }
  if (init instanceof URLSearchParams) return [init.toString(), "application/x-www-form-urlencoded;charset=UTF-8"];
  if (init instanceof Blob) return [blobBytes(init), init.type || null];
  if (init instanceof FormData) {
    const boundary = "----formdata-" + crypto.randomUUID();
    return [multipart(init, boundary), "multipart/form-data; boundary=" + boundary];
  }
  const bytes = bytesOf(init);
  if (bytes) return [bytes.slice(), null];
  return [String(init), "text/plain;charset=UTF-8"];
}

// teeContent makes two of one content.
function teeContent(content) {
  if (!(content instanceof ReadableStream) && typeof content !== "number") return [content, content];
  return (typeof content === "number" ? streamOfHandle(content) : content).tee();
}
