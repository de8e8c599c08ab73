// https://developers.cloudflare.com/kv/api/

class KVNamespace {
  #binding;
  constructor(token, binding) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#binding = binding;
  }

  async get(key, options) {
    if (!Array.isArray(key)) return (await this.#read(key, options)).value;
    const all = await this.#readAll(key, options);
    for (const [k, { value }] of all) all.set(k, value);
    return all;
  }

  async getWithMetadata(key, options) {
    if (Array.isArray(key)) return this.#readAll(key, options);
    const { value, metadata } = await this.#read(key, options);
    return { value, metadata, cacheStatus: null };
  }

  // readAll is a Map of what is there under many keys, read as one operation.
  async #readAll(keys, options) {
    requireRequest();
    const type = typeOf(options);
    if (type !== "text" && type !== "json") throw refusedGet(400, `"${type}" is not a valid type. Use "json" or "text"`);
    if (keys.length > 100) throw refusedGet(400, "You can request a maximum of 100 keys");
    if (keys.length < 1) throw refusedGet(400, "You must request a minimum of 1 key");
    keys = [...new Set(keys.map(String))];
    const job = ask(opKVGetAll, 0, JSON.stringify({ binding: this.#binding, keys, strong: isStrong(options) }));
    await finished(job);
    const heads = JSON.parse(ask(opKVMetadata, job)), bytes = ask(opResult, job);
    let at = 0;
    return new Map(keys.map((key, i) => {
      if (!heads[i]) return [key, { value: null, metadata: null, cacheStatus: null }];
      const { size, metadata = null } = heads[i], text = fromUTF8(bytes.subarray(at, at += size));
      return [key, { value: type === "json" ? parsed(text) : text, metadata, cacheStatus: null }];
    }));
  }

  async #read(key, options) {
    requireRequest();
    const type = typeOf(options);
    if (!["text", "json", "arrayBuffer", "stream"].includes(type)) throw new TypeError(`Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".`);
    const job = ask(opKVGet, isStrong(options) ? 1 : 0, `${this.#binding}\0${key}`);
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
    else if (value instanceof ReadableStream) content = (await readAll(value)).bytes;
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

// isStrong is whether a read asks the cluster, which Cloudflare has nothing like.
function isStrong(options) {
  const consistency = options?.consistency ?? "eventual";
  if (consistency !== "eventual" && consistency !== "strong") throw new TypeError(`Unknown consistency. Possible values are "eventual" and "strong".`);
  return consistency === "strong";
}

const typeOf = options => (typeof options === "string" ? options : options?.type) ?? "text";

// refusedGet is how Cloudflare refuses to get many keys.
const refusedGet = (status, why) => new Error(`KV GET_BULK failed: ${status} ${why}`);

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw refusedGet(400, "At least one of the requested keys corresponds to a non-json value");
  }
}

// whole is a number as Web IDL makes one: 0 of what is none.
function whole(n) {
  if (n === undefined || n === null) return undefined;
  n = Math.trunc(Number(n));
  return Number.isFinite(n) ? n : 0;
}
