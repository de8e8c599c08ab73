// https://developers.cloudflare.com/kv/api/

class KVNamespace {
  #binding;
  constructor(token, binding) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#binding = binding;
  }

  async get(key, options) {
    if (Array.isArray(key)) {
      const values = await Promise.all(key.map(k => this.get(k, options)));
      return new Map(key.map((k, i) => [k, values[i]]));
    }
    return (await this.#read(key, options)).value;
  }

  async getWithMetadata(key, options) {
    if (Array.isArray(key)) {
      const entries = await Promise.all(key.map(k => this.getWithMetadata(k, options)));
      return new Map(key.map((k, i) => [k, entries[i]]));
    }
    const { value, metadata } = await this.#read(key, options);
    return { value, metadata, cacheStatus: null };
  }

  async #read(key, options) {
    requireRequest();
    const type = typeof options === "string" ? options : options?.type ?? "text";
    if (!["text", "json", "arrayBuffer", "stream"].includes(type)) throw new TypeError(`Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".`);
    const job = ask(opKVGet, 0, `${this.#binding}\0${key}`);
    await finished(job);
    const metadata = ask(opKVMetadata, job);
    const found = ask(opResult, job, type === "text" || type === "json" ? "text" : undefined);
    if (found === null) return { value: null, metadata: null };
    const value = type === "text" ? found : type === "json" ? JSON.parse(found) : type === "stream" ? streamOf(found) : bufferOf(found);
    return { value, metadata: metadata === null ? null : JSON.parse(metadata) };
  }

  async put(key, value, options) {
    requireRequest();
    let content;
    if (typeof value === "string" || bytesOf(value)) content = typeof value === "string" ? value : bytesOf(value);
    else if (value instanceof ReadableStream) content = await allBytes(value);
    else throw new TypeError("KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.");
    const { expiration, expirationTtl, metadata } = options ?? {};
    const text = JSON.stringify({
      binding: this.#binding, key: String(key), expiration: whole(expiration), expirationTtl: whole(expirationTtl), metadata: metadata ?? undefined,
    });
    const job = ask(opKVPut, 0, text, content);
    await finished(job);
    ask(opResult, job);
  }

  async delete(key) {
    requireRequest();
    const job = ask(opKVDelete, 0, `${this.#binding}\0${key}`);
    await finished(job);
    ask(opResult, job);
  }

  async list(options) {
    requireRequest();
    const { prefix, cursor, limit } = options ?? {};
    const job = ask(opKVList, 0, JSON.stringify({ binding: this.#binding, prefix: prefix ?? "", cursor: cursor ?? "", limit: whole(limit) ?? 1000 }));
    await finished(job);
    return { ...JSON.parse(ask(opResult, job, "text")), cacheStatus: null };
  }
}

// whole is a number as Web IDL makes one: 0 of what is none.
function whole(n) {
  if (n === undefined || n === null) return undefined;
  n = Math.trunc(Number(n));
  return Number.isFinite(n) ? n : 0;
}
