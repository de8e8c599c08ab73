// https://fetch.spec.whatwg.org/#response-class

const withoutBody = new Set([101, 204, 205, 304]);
const badReason = /[^\t\x20-\x7e\x80-\xff]/;

let upstream;

class Response extends Body {
  #status; #statusText; #headers; #url = ""; #redirected = false; #type = "default"; #webSocket = null;

  static {
    // upstream is a response that the host has.
    upstream = (content, status, headers, url, redirected) => {
      const r = new Response(internal, content);
      r.#status = status;
      r.#headers = headersFrom(headers, true);
      r.#url = url;
      r.#redirected = redirected;
      return r;
    };
  }

  constructor(body, init) {
    if (body === internal) {
      super(init, () => this.#headers);
      this.#statusText = "";
      return;
    }
    const [content, type] = extract(body);
    super(content, () => this.#headers);
    let status = 200;
    this.#statusText = "";
    if (init !== undefined && init !== null) {
      if (init.status !== undefined) status = Number(init.status);
      if (!(status >= 200 && status <= 599)) throw new RangeError(`Responses may only be constructed with status codes in the range 200 to 599, inclusive.`);
      if (init.statusText !== undefined) this.#statusText = String(init.statusText);
      if (badReason.test(this.#statusText)) throw new TypeError("Invalid statusText");
      if (content !== null && withoutBody.has(status)) throw new TypeError(`Response with null body status (101, 204, 205, or 304) cannot have a body.`);
    }
    this.#status = status;
    const given = init?.headers;
    if (given === undefined || given === null) this.#headers = headersFrom(type === null ? [] : ["content-type", type], false);
    else {
      this.#headers = new Headers(given);
      if (type !== null && find(headersList(this.#headers), "content-type", 0) < 0) headersList(this.#headers).push("content-type", type);
    }
  }

  static error() {
    const r = new Response(internal, null);
    r.#status = 0;
    r.#type = "error";
    r.#headers = headersFrom([], true);
    return r;
  }

  static redirect(url, status = 302) {
    if (![301, 302, 303, 307, 308].includes(Number(status))) throw new RangeError(`${status} is not a redirect status code.`);
    const r = new Response(null, { status, headers: { location: absolute(url) } });
    lockHeaders(r.#headers);
    return r;
  }

  static json(data, init = {}) {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError("The value is not JSON serializable");
    const headers = new Headers(init?.headers);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(text, { ...init, headers });
  }

  get status() { return this.#status; }
  get ok() { return this.#status >= 200 && this.#status <= 299; }
  get statusText() { return this.#statusText; }
  get headers() { return this.#headers; }
  get url() { return this.#url; }
  get redirected() { return this.#redirected; }
  get type() { return this.#type; }
  get webSocket() { return this.#webSocket; }
  get cf() { return undefined; }

  clone() {
    if (this.bodyUsed) throw new TypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.");
    const [mine, other] = bodyOf(this) === null ? [null, null] : teeContent(useBody(this));
    const copy = upstream(other, this.#status, headersList(this.#headers).slice(), this.#url, this.#redirected);
    copy.#statusText = this.#statusText;
    copy.#type = this.#type;
    if (mine !== null) Body.renew(this, mine);
    return copy;
  }
}
