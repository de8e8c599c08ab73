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
  if (init.window !== undefined && init.window !== null) throw new TypeError("The window of a request can only be null");
  if (init.referrer !== undefined) extras = { ...extras, referrer: referrerOf(String(init.referrer)) };
  if (init.integrity !== undefined) extras = { ...extras, integrity: String(init.integrity) };
  if (init.keepalive !== undefined) extras = { ...extras, keepalive: Boolean(init.keepalive) };
  return extras;
}

// referrerOf checks a referrer, of which nothing is sent.
function referrerOf(referrer) {
  if (referrer === "") return "";
  absolute(referrer); // throws if it is no URL
  return "about:client";
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
    const own = init.body !== undefined && init.body !== null, passed = !own && init.body === undefined && from !== null && bodyOf(from) !== null;
    if ((own || passed) && (method === "GET" || method === "HEAD")) {
      throw new TypeError("Request with a GET or HEAD method cannot have a body.");
    }
    const url = from ? from.url : requestURL(input), extras = requestExtras(init, from?.#extras);
    if (extras?.keepalive && init.body instanceof ReadableStream) throw new TypeError("A request with keepalive can't have a stream as its body");
    const headers = new Headers(init.headers ?? (from ? from.headers : undefined));
    const redirect = redirectMode(init.redirect ?? (from ? from.redirect : "follow"));
    const [content, type] = own ? extract(init.body) : [passed ? useBody(from) : null, null]; // last, since it can't be taken back
    super(content, () => this.#headers);
    this.#extras = extras;
    this.#method = method;
    this.#url = url;
    this.#headers = headers;
    if (type !== null && !headers.has("content-type")) headers.set("content-type", type);
    this.#signal = init.signal !== undefined ? init.signal : from ? from.signal : null;
    this.#redirect = redirect;
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
  get referrer() { return this.#extras?.referrer ?? "about:client"; }
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

function requestURL(input) {
  const { href, username, password } = new URL(input);
  if (username !== "" || password !== "") throw new TypeError(`Request cannot be constructed from a URL that includes credentials: ${href}`);
  return href;
}

function absolute(input) {
  const url = new URL(input);
  return url.href;
}
