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
  const content = bodyOf(request) === null ? null : (await readAll(useBody(request))).bytes;
  return follow(binding, request, content, signal);
}

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
    if (next.origin !== new URL(url).origin) {
      for (const name of ["authorization", "cookie", "proxy-authorization"]) headers.delete(name);
    }
    url = next.href;
    await response.body?.cancel();
  }
}

async function exchange(binding, method, url, headers, content, signal, redirected) {
  const h = ask(opFetch, 0, `${binding}\0${method}\0${url.split("#")[0]}\0${headersBlock(headers)}`, content ?? undefined);
  await within(signal, h);
  const head = headOf(h).split("\0");
  head.pop();
  const status = Number(head.shift());
  const body = ask(opFetchBody, h);
  const none = method === "HEAD" || withoutBody.has(status);
  if (none) ask(opClose, body);
  signal?.addEventListener("abort", () => { try { ask(opClose, body); } catch { /* was read */ } });
  return upstream(none ? null : body, status, head, url, redirected);
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
    pending.set(h, resolve);
    signal.addEventListener("abort", () => {
      if (!pending.delete(h)) return;
      ask(opClose, h);
      reject(signal.reason);
    });
  });
}
