// https://w3c.github.io/webcrypto/, the part that the host computes

class CryptoKey {
  #type; #algorithm; #extractable; #usages; #material;
  static material;
  static { CryptoKey.material = key => key.#material; }
  constructor(token, type, algorithm, extractable, usages, material) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#type = type;
    this.#algorithm = algorithm;
    this.#extractable = extractable;
    this.#usages = usages;
    this.#material = material;
  }
  get type() { return this.#type; }
  get algorithm() { return this.#algorithm; }
  get extractable() { return this.#extractable; }
  get usages() { return [...this.#usages]; }
}
const materialOf = CryptoKey.material;
delete CryptoKey.material;

const algorithmOf = a => (typeof a === "string" ? { name: a } : { ...a, name: String(a?.name) });
const hashName = h => algorithmOf(h).name.toUpperCase();

function bufferSource(data) {
  const bytes = bytesOf(data);
  if (!bytes) throw new TypeError("The data must be an ArrayBuffer or a view of one");
  return bytes;
}

const unsupported = name => new DOMException(`The algorithm "${name}" is not offered`, "NotSupportedError");
const blockSizes = { "SHA-1": 64, "SHA-256": 64, "SHA-384": 128, "SHA-512": 128 };

class SubtleCrypto {
  constructor(token) { if (token !== internal) throw new TypeError("Illegal constructor"); }

  async digest(algorithm, data) {
    const name = hashName(algorithm);
    const sum = ask(opDigest, 0, name, bufferSource(data));
    if (sum === null) throw unsupported(name);
    return bufferOf(sum);
  }

  async importKey(format, data, algorithm, extractable, usages) {
    const a = algorithmOf(algorithm);
    if (a.name.toUpperCase() !== "HMAC") throw unsupported(a.name);
    const hash = hashName(a.hash);
    if (!(hash in blockSizes)) throw unsupported(hash);
    let bytes;
    if (format === "raw") bytes = bufferSource(data).slice();
    else if (format === "jwk") {
      if (data?.kty !== "oct" || typeof data.k !== "string") throw new DOMException("The JWK must have the type oct", "DataError");
      bytes = Uint8Array.fromBase64(data.k, { alphabet: "base64url" });
    } else throw new DOMException(`The format "${format}" is not offered for HMAC`, "NotSupportedError");
    if (bytes.length === 0) throw new DOMException("The key is empty", "DataError");
    return hmacKey(bytes, hash, extractable, usages);
  }

  async generateKey(algorithm, extractable, usages) {
    requireRequest();
    const a = algorithmOf(algorithm);
    if (a.name.toUpperCase() !== "HMAC") throw unsupported(a.name);
    const hash = hashName(a.hash);
    if (!(hash in blockSizes)) throw unsupported(hash);
    return hmacKey(host(opRandom, a.length ? Math.ceil(a.length / 8) : blockSizes[hash]), hash, extractable, usages);
  }

  async exportKey(format, key) {
    if (!key.extractable) throw new DOMException("The key is not extractable", "InvalidAccessError");
    const bytes = materialOf(key);
    if (format === "raw") return bytes.slice().buffer;
    if (format !== "jwk") throw new DOMException(`The format "${format}" is not offered`, "NotSupportedError");
    return {
      kty: "oct", k: bytes.toBase64({ alphabet: "base64url", omitPadding: true }), alg: "HS" + key.algorithm.hash.name.slice(4),
      key_ops: key.usages, ext: true,
    };
  }

  async sign(algorithm, key, data) {
    allow(key, "sign", algorithm);
    return bufferOf(hmac(key, bufferSource(data)));
  }

  async verify(algorithm, key, signature, data) {
    allow(key, "verify", algorithm);
    return this.timingSafeEqual(hmac(key, bufferSource(data)), signature);
  }

  timingSafeEqual(a, b) {
    const x = bufferSource(a), y = bufferSource(b);
    return x.length === y.length && host(opEqual, 0, x.toBase64(), y.toBase64());
  }
}

function hmacKey(bytes, hash, extractable, usages) {
  for (const u of usages) if (u !== "sign" && u !== "verify") throw new SyntaxError(`HMAC keys can't be used to "${u}"`);
  return new CryptoKey(internal, "secret", { name: "HMAC", hash: { name: hash }, length: bytes.length * 8 }, Boolean(extractable), [...usages], bytes);
}

function allow(key, usage, algorithm) {
  const name = algorithmOf(algorithm).name.toUpperCase();
  if (name !== "HMAC") throw unsupported(name);
  if (!(key instanceof CryptoKey) || !key.usages.includes(usage)) throw new DOMException(`The key can't be used to ${usage}`, "InvalidAccessError");
}

function hmac(key, data) {
  const bytes = materialOf(key);
  return ask(opHMAC, bytes.length, key.algorithm.hash.name, join([bytes, data]));
}

class Crypto {
  #subtle = new SubtleCrypto(internal);
  constructor(token) { if (token !== internal) throw new TypeError("Illegal constructor"); }
  get subtle() { return this.#subtle; }

  getRandomValues(view) {
    requireRequest();
    const kind = Object.prototype.toString.call(view).slice(8, -1);
    if (!/^(Big)?(Ui|I)nt(8|16|32|64)(Clamped)?Array$/.test(kind)) throw new DOMException("getRandomValues needs an array of integers", "TypeMismatchError");
    if (view.byteLength > 65536) throw new DOMException("getRandomValues gives at most 65536 bytes", "QuotaExceededError");
    bytesOf(view).set(host(opRandom, view.byteLength));
    return view;
  }

  randomUUID() {
    requireRequest();
    const b = host(opRandom, 16);
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    const h = b.toHex();
    return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
  }
}
const crypto = new Crypto(internal);
