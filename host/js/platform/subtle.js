// https://w3c.github.io/webcrypto/#subtlecrypto-interface. The host computes; see
// subtle.go.

class SubtleCrypto {
  constructor(token) { if (token !== internal) throw new TypeError("Illegal constructor"); }

  async digest(algorithm, data) {
    const name = algorithmOf(algorithm).name.toUpperCase();
    const sum = ask(opDigest, 0, name, bufferSource(data));
    if (sum === null) throw unsupported(name);
    return bufferOf(sum);
  }

  async importKey(format, data, algorithm, extractable, usages) {
    return importKey(formatOf(format), data, algorithmOf(algorithm), Boolean(extractable), usageList(usages));
  }

  async exportKey(format, key) {
    format = formatOf(format);
    if (!(key instanceof CryptoKey)) throw new TypeError("The key must be a CryptoKey");
    const out = exportKey(format, key);
    return format === "jwk" ? out : bufferOf(out);
  }

  async generateKey(algorithm, extractable, usages) {
    requireRequest();
    return generateKey(algorithmOf(algorithm), Boolean(extractable), usageList(usages));
  }

  async sign(algorithm, key, data) {
    const params = signature(algorithm, key, "sign");
    return bufferOf(compute(opSign, params, bufferSource(data)));
  }

  async verify(algorithm, key, given, data) {
    const params = signature(algorithm, key, "verify");
    params.signature = base64(given, "The signature");
    return compute(opVerify, params, bufferSource(data));
  }

  async encrypt(algorithm, key, data) { return bufferOf(cipher(opEncrypt, "encrypt", algorithmOf(algorithm), key, bufferSource(data))); }
  async decrypt(algorithm, key, data) { return bufferOf(cipher(opDecrypt, "decrypt", algorithmOf(algorithm), key, bufferSource(data))); }

  async wrapKey(format, key, wrappingKey, algorithm) {
    format = formatOf(format);
    const a = algorithmOf(algorithm);
    if (!(key instanceof CryptoKey)) throw new TypeError("The key must be a CryptoKey");
    allow(wrappingKey, "wrapKey", a.name);
    const out = exportKey(format, key);
    return bufferOf(cipher(opEncrypt, "wrapKey", a, wrappingKey, format === "jwk" ? utf8(JSON.stringify(out)) : out));
  }

  async unwrapKey(format, wrapped, unwrappingKey, algorithm, keyAlgorithm, extractable, usages) {
    format = formatOf(format);
    const kept = usageList(usages), made = algorithmOf(keyAlgorithm);
    let data = cipher(opDecrypt, "unwrapKey", algorithmOf(algorithm), unwrappingKey, bufferSource(wrapped));
    if (format === "jwk") {
      try {
        data = JSON.parse(fromUTF8(data));
      } catch {
        throw refused("DataError", "What was unwrapped is no JWK");
      }
    }
    return importKey(format, data, made, Boolean(extractable), kept);
  }

  async deriveBits(algorithm, key, length = null) {
    return bufferOf(derive(algorithmOf(algorithm), key, "deriveBits", length));
  }

  async deriveKey(algorithm, key, derivedKeyType, extractable, usages) {
    const kept = usageList(usages), made = algorithmOf(derivedKeyType);
    if (!families[made.name]?.secret) throw unsupported(made.name);
    const bits = derive(algorithmOf(algorithm), key, "deriveKey", secretLength(made));
    return importKey("raw", bits, made, Boolean(extractable), kept);
  }

  // timingSafeEqual is an extension of Cloudflare's.
  timingSafeEqual(a, b) {
    const x = bufferSource(a), y = bufferSource(b);
    if (x.length !== y.length) throw new TypeError("Input buffers must have the same byte length.");
    return host(opEqual, 0, x.toBase64(), y.toBase64());
  }
}

// paramsFor is what the host needs for a key of an algorithm.
function paramsFor(a, key, usage) {
  if (!families[a.name]) throw unsupported(a.name);
  if (!Object.values(families[a.name]).some(list => list.includes(usage))) throw unsupported(a.name);
  allow(key, usage, a.name);
  const algorithm = algorithmOfKey(key);
  return { name: a.name, type: key.type, curve: algorithm.namedCurve, hash: algorithm.hash?.name, key: materialOf(key).toBase64() };
}

function signature(algorithm, key, usage) {
  const a = algorithmOf(algorithm), params = paramsFor(a, key, usage);
  if (a.name === "ECDSA") params.hash = hashOfAlgorithm(a.hash);
  if (a.name === "RSA-PSS") {
    if (!(a.saltLength >= 0)) throw new TypeError("RSA-PSS needs a saltLength");
    params.saltLength = Math.trunc(a.saltLength);
  }
  if (usage === "sign" && (a.name === "RSA-PSS" || a.name === "ECDSA")) requireRequest();
  return params;
}

function cipher(op, usage, a, key, data) {
  const params = paramsFor(a, key, usage);
  switch (a.name) {
    case "AES-GCM":
      params.iv = bufferSource(a.iv, "iv").toBase64();
      params.additionalData = base64(a.additionalData, "additionalData");
      params.tagLength = a.tagLength === undefined ? 128 : Math.trunc(a.tagLength);
      break;
    case "AES-CBC":
      params.iv = bufferSource(a.iv, "iv").toBase64();
      break;
    case "AES-CTR":
      params.counter = bufferSource(a.counter, "counter").toBase64();
      params.length = Math.trunc(a.length);
      break;
    case "RSA-OAEP":
      params.label = base64(a.label, "label");
      if (op === opEncrypt) requireRequest();
  }
  return compute(op, params, data);
}

function derive(a, key, usage, length) {
  const params = paramsFor(a, key, usage);
  params.length = length === null ? -1 : Math.trunc(length);
  switch (a.name) {
    case "HKDF":
      params.info = bufferSource(a.info, "info").toBase64();
      // falls through
    case "PBKDF2":
      params.hash = hashOfAlgorithm(a.hash);
      params.salt = bufferSource(a.salt, "salt").toBase64();
      params.iterations = Math.trunc(a.iterations);
      break;
    default:
      params.public = publicOf(a, key);
  }
  return compute(opDerive, params);
}

// publicOf is the other side's key.
function publicOf(a, key) {
  const other = a.public ?? a.$public;
  if (!(other instanceof CryptoKey)) throw new TypeError(`${a.name} needs a public key`);
  const mine = algorithmOfKey(key), its = algorithmOfKey(other);
  if (other.type !== "public" || its.name !== a.name || its.namedCurve !== mine.namedCurve) {
    throw refused("InvalidAccessError", `The public key is not one for ${a.name} ${mine.namedCurve ?? ""}`);
  }
  return materialOf(other).toBase64();
}
