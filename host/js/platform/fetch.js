// https://fetch.spec.whatwg.org/#fetch-method. The host sends one request and
// receives one response; redirects are followed here.

const maxRedirects = 20;

function fetch(input, init) { return fetchFrom("", input, init); }

// Fetcher is a binding that answers requests: another Function, static files.
class Fetcher {
  #binding;
  constructor(token, binding) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#binding = binding;
  }
  fetch(input, init) { return fetchFrom(this.#binding, input, init); }
}

class RateLimit {
  #binding;
  constructor(token, binding) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#binding = binding;
  }
  async limit(options) {
    requireRequest();
    if (options?.key === undefined) throw new TypeError("limit needs a key");
    return { success: ask(opRateLimit, 0, `${this.#binding}\0${options.key}`) };
  }
}

async function fetchFrom(binding, input, init) {
  const request = new Request(input, init);
  requireRequest();
  const signal = init?.signal ?? (input instanceof Request ? input.signal : null);
  signal?.throwIfAborted();
  let content = bodyOf(request) === null ? null : useBody(request);
  if (content !== null && !isStreamed(content)) content = (await readAll(content)).bytes;
  return follow(binding, request, content, signal);
}

// isStreamed says whether content goes out while it is read, and so once only.
function isStreamed(content) { return typeof content === "number" || content instanceof ReadableStream; }

async function follow(binding, request, content, signal) {
  let { url, method } = request;
  const headers = new Headers(request.headers);
  for (let n = 0; ; n++) {
    const response = await exchange(binding, method, url, headers, content, signal, n > 0);
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || request.redirect === "manual" || location === null) return response;
    if (request.redirect === "error") throw new TypeError("The fetch was redirected, and redirect is \"error\"");
    if (n >= maxRedirects) throw new TypeError("Too many redirects");
    const next = new URL(location, url);
    if (response.status === 303 && method !== "HEAD" || [301, 302].includes(response.status) && method === "POST") {
      method = "GET";
      content = null;
      for (const name of ["content-encoding", "content-language", "content-location", "content-type"]) headers.delete(name);
    }
    if (isStreamed(content)) throw new TypeError("The fetch was redirected, and its body, which is a stream, can't be sent again; give it as a string or as bytes, or set redirect to \"manual\"");
    if (next.origin !== new URL(url).origin) {
      for (const name of ["authorization", "cookie", "proxy-authorization"]) headers.delete(name);
    }
    url = next.href;
    await response.body?.cancel();
  }
}

async function exchange(binding, method, url, headers, content, signal, redirected) {
  const streamed = isStreamed(content), text = `${binding}\0${method}\0${url.split("#")[0]}\0${headersBlock(headers)}`;
  const h = streamed ? ask(opFetch, typeof content === "number" ? content : -1, text) : ask(opFetch, 0, text, content ?? undefined);
  const upload = streamed ? send(h, content) : null, response = within(signal, h);
  if (upload) upload.waits = pending.get(h);
  await response;
  if (upload?.failure) throw upload.failure.e;
  const head = headOf(h).split("\0");
  head.pop();
  const status = Number(head.shift());
  const body = ask(opFetchBody, h);
  const none = method === "HEAD" || withoutBody.has(status);
  if (none) closeHandle(body);
  else if (signal) endBody(signal, body);
  return upstream(none ? null : body, status, head, url, redirected);
}

// send passes a body on to an exchange, beside what waits for the response. What goes
// wrong with reading it ends the exchange, and is the failure.
function send(h, content) {
  const out = ask(opFetchUpload, h), upload = { failure: null, waits: null };
  if (typeof content === "number") {
    const job = ask(opUploadFrom, content, String(out));
    finished(job).then(() => {
      for (const done of [job, out]) closeHandle(done);
      closeBody(content);
    });
    return upload;
  }
  sendStream(out, content).catch(e => {
    upload.failure = { e };
    try { ask(opCutShort, out); } catch { /* the exchange has ended */ }
    if (upload.waits === null || pending.get(h) !== upload.waits) return; // h may name something else
    pending.delete(h);
    closeHandle(h);
    upload.waits();
  });
  return upload;
}

// sendStream writes each chunk once the one before has gone, until nobody reads on.
async function sendStream(out, stream) {
  for await (const chunk of stream) {
    const bytes = chunk instanceof Uint8Array ? chunk : null;
    if (!bytes) throw new TypeError("A body must consist of Uint8Arrays");
    if (bytes.length > 0 && !await written(out, bytes)) break;
  }
  closeHandle(out);
}

// written reports whether somebody has read the bytes.
async function written(out, bytes) {
  const job = ask(opUpload, out, undefined, bytes);
  await finished(job);
  try {
    ask(opResult, job);
    return true;
  } catch {
    return false;
  }
}

// headOf is the status and fields of a response. That there is none is a TypeError:
// https://fetch.spec.whatwg.org/#concept-network-error
function headOf(h) {
  try {
    return host(opFetchHead, h);
  } catch (e) {
    if (typeof e === "string" && /^(unavailable|denied|timeout):/.test(e)) throw new TypeError(hostError(e).message);
    throw hostError(e);
  }
}

// within waits for an operation unless the signal is aborted first.
function within(signal, h) {
  if (!signal) return finished(h);
  return new Promise((resolve, reject) => {
    const abort = () => {
      pending.delete(h);
      closeHandle(h);
      reject(signal.reason);
    };
    pending.set(h, () => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
    signal.addEventListener("abort", abort, { once: true });
  });
}
