// https://developers.cloudflare.com/workers/runtime-apis/cache/. Package host/cache
// has the rules.

class Cache {
  #name;
  constructor(token, name) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#name = name;
  }

  // key is where the response for a request is; the fragment does not count.
  #key(request) {
    requireRequest();
    return `${this.#name}\0${request.url.split("#")[0]}\0`;
  }

  async put(input, response) {
    const request = new Request(input);
    if (request.method !== "GET") throw new TypeError("Cannot cache response to non-GET request.");
    if (!(response instanceof Response)) throw new TypeError("put needs a Response");
    if (response.status === 206) throw new TypeError("Cannot cache response to a range request (206 Partial Content).");
    const vary = response.headers.get("vary");
    if (vary?.includes("*")) throw new TypeError("Cannot cache response with 'Vary: *' header.");
    const key = this.#key(request), block = headersBlock(response.headers);
    const { bytes: body } = await readAll(useBody(response));
    ask(opCachePut, response.status, key + block, body);
  }

  async match(input, options) {
    const request = new Request(input);
    if (request.method !== "GET" && !options?.ignoreMethod) return undefined;
    const found = ask(opCacheMatch, 0, this.#key(request) + headersBlock(request.headers));
    if (found === null) return undefined;
    const head = found.split("\0");
    head.pop();
    const status = Number(head.shift()), body = Number(head.shift());
    if (withoutBody.has(status)) ask(opClose, body);
    return upstream(withoutBody.has(status) ? null : body, status, head, request.url, false);
  }

  async delete(input, options) {
    const request = new Request(input);
    if (request.method !== "GET" && !options?.ignoreMethod) return false;
    return ask(opCacheDelete, 0, this.#key(request));
  }

  async add() { throw notImplemented("Cache.add"); }
  async addAll() { throw notImplemented("Cache.addAll"); }
  async matchAll() { throw notImplemented("Cache.matchAll"); }
  async keys() { throw notImplemented("Cache.keys"); }
}

class CacheStorage {
  #default = new Cache(internal, "");
  constructor(token) { if (token !== internal) throw new TypeError("Illegal constructor"); }
  get default() { return this.#default; }
  async open(name) { return new Cache(internal, "=" + String(name).replaceAll("\0", "")); }
  async has() { throw notImplemented("CacheStorage.has"); }
  async delete() { throw notImplemented("CacheStorage.delete"); }
  async keys() { throw notImplemented("CacheStorage.keys"); }
}
tag(Cache, CacheStorage);
define(globalThis, "Cache", Cache);
define(globalThis, "CacheStorage", CacheStorage);
define(globalThis, "caches", new CacheStorage(internal));
