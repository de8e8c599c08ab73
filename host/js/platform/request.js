// https://fetch.spec.whatwg.org/#request-class

const knownMethods = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);

function methodOf(method) {
  method = String(method);
  if (!isToken.test(method)) throw new TypeError(`Invalid HTTP method string: ${method}`);
  const upper = method.toUpperCase();
  if (["CONNECT", "TRACE", "TRACK"].includes(upper)) throw new TypeError(`Forbidden HTTP method: ${method}`);
  return knownMethods.has(upper) ? upper : method;
}

// What of a request's options the standard names and a server has no use for: kept to
// be read again, with their values checked.
const requestEnums = {
  mode: ["cors", ["navigate", "same-origin", "no-cors", "cors"]],
  credentials: ["same-origin", ["omit", "same-origin", "include"]],
  cache: ["default", ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"]],
  referrerPolicy: ["", ["", "no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin", "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url"]],
  priority: ["auto", ["high", "low", "auto"]],
  duplex: ["half", ["half"]],
};

function requestExtras(init, from) {
  let extras = from;
  for (const name of Object.keys(requestEnums)) {
    if (init[name] === undefined) continue;
    const value = String(init[name]);
    if (!requestEnums[name][1].includes(value)) throw new TypeError(`Invalid ${name}: ${value}`);
    extras = { ...extras, [name]: value };
  }
  if (init.mode !== undefined && extras.mode === "navigate") throw new TypeError("A request can't have the mode navigate");
  if (extras?.cache === "only-if-cached" && extras.mode !== "same-origin") throw new TypeError("only-if-cached needs the mode same-origin");
  if (init.integrity !== undefined) extras = { ...extras, integrity: String(init.integrity) };
  if (init.keepalive !== undefined) extras = { ...extras, keepalive: Boolean(init.keepalive) };
  return extras;
}

let incoming;

class Request extends Body {
  #method; #url; #headers; #signal = null; #redirect = "follow"; #cf; #extras;

  static {
    // incoming is the request that is being answered. What it has is asked for
    // when it is needed.
    incoming = flags => new Request(internal, flags);
  }

  constructor(input, init) {
    if (input === internal) {
      super(init & flagBody ? host(opRequestBody) : null, () => this.headers);
      this.#method = init & flagGet ? "GET" : null;
      this.#url = null;
      this.#headers = null;
      this.#cf = {};
      this.#redirect = "manual"; // so that what is passed on lets the client follow
      return;
    }
    if (arguments.length === 0) throw new TypeError("Request needs a URL or a Request");
    init = dictionary(init, "The options of a request");
    const from = input instanceof Request ? input : null;
    const method = init.method !== undefined ? methodOf(init.method) : from ? from.method : "GET";
    if (init.body !== undefined && init.body !== null && (method === "GET" || method === "HEAD")) {
      throw new TypeError("Request with a GET or HEAD method cannot have a body.");
    }
    const [content, type] = init.body !== undefined ? extract(init.body) : [from && bodyOf(from) !== null ? useBody(from) : null, null];
    super(content, () => this.#headers);
    this.#extras = requestExtras(init, from?.#extras);
    this.#method = method;
    this.#url = from ? from.url : absolute(input);
    this.#headers = new Headers(init.headers ?? (from ? from.headers : undefined));
    if (type !== null && !this.#headers.has("content-type")) this.#headers.set("content-type", type);
    this.#signal = init.signal !== undefined ? init.signal : from ? from.signal : null;
    this.#redirect = redirectMode(init.redirect ?? (from ? from.redirect : "follow"));
    this.#cf = init.cf ?? from?.cf;
  }

  get method() { return this.#method ??= host(opMethod); }
  get url() { return this.#url ??= host(opURL); }
  get headers() { return this.#headers ??= headersFrom(null, true); }
  get signal() { return this.#signal ??= makeSignal(); }
  get redirect() { return this.#redirect; }
  get cf() { return this.#cf; }
  get fetcher() { return null; }
  get mode() { return this.#extras?.mode ?? "cors"; }
  get credentials() { return this.#extras?.credentials ?? "same-origin"; }
  get cache() { return this.#extras?.cache ?? "default"; }
  get integrity() { return this.#extras?.integrity ?? ""; }
  get keepalive() { return this.#extras?.keepalive ?? false; }
  get destination() { return ""; }
  get referrer() { return "about:client"; }
  get referrerPolicy() { return this.#extras?.referrerPolicy ?? ""; }
  get isReloadNavigation() { return false; }
  get isHistoryNavigation() { return false; }
  get duplex() { return "half"; }

  clone() {
    if (this.bodyUsed) throw new TypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.");
    const [mine, other] = bodyOf(this) === null ? [null, null] : teeContent(useBody(this));
    const copy = new Request(this.url, { method: "POST", headers: this.headers, signal: this.#signal, redirect: this.#redirect, cf: this.#cf, body: other });
    copy.#method = this.method;
    copy.#extras = this.#extras;
    if (mine !== null) Body.renew(this, mine);
    return copy;
  }
}

function redirectMode(mode) {
  mode = String(mode);
  if (!["follow", "manual", "error"].includes(mode)) throw new TypeError(`Invalid redirect value, must be one of "follow" or "manual" ("${mode}" was given).`);
  return mode;
}

// absolute is a URL without a fragment.
function absolute(input) {
  const url = new URL(input);
  return url.href;
}
