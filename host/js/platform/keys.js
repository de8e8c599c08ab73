// Keys of crypto.subtle: how they are read, written and made.

const formats = ["raw", "pkcs8", "spki", "jwk"];

function formatOf(format) {
  format = String(format);
  if (!formats.includes(format)) throw new TypeError(`"${format}" is no format of a key; there are raw, pkcs8, spki and jwk`);
  return format;
}

const noFormat = (format, name) => refused("NotSupportedError", `The format "${format}" is not offered for ${name}`);

// jwkAlgorithm is the "alg" of a key, undefined where there is none.
function jwkAlgorithm({ name, hash, length }) {
  const bits = hash?.name.slice(4);
  switch (name) {
    case "HMAC": return `HS${bits}`;
    case "RSASSA-PKCS1-v1_5": return `RS${bits}`;
    case "RSA-PSS": return `PS${bits}`;
    case "RSA-OAEP": return bits === "1" ? "RSA-OAEP" : `RSA-OAEP-${bits}`;
    case "Ed25519": return "Ed25519";
  }
  return isAES(name) ? `A${length}${name.slice(4)}` : undefined;
}

const jwkType = name => isRSA(name) ? "RSA" : name.startsWith("EC") ? "EC" : name.endsWith("25519") ? "OKP" : "oct";
const isSigning = name => name === "HMAC" || "sign" === families[name].private?.[0];

// checkJWK is what all kinds have in common.
function checkJWK(jwk, name, extractable, usages) {
  if (jwk === null || typeof jwk !== "object" || bytesOf(jwk)) throw new TypeError("The key must be an object, as the format is jwk");
  const wrong = message => refused("DataError", message);
  if (jwk.kty !== jwkType(name)) throw wrong(`The JWK has the type "${jwk.kty}", not "${jwkType(name)}"`);
  if (jwk.use !== undefined && usages.length > 0 && jwk.use !== (isSigning(name) ? "sig" : "enc")) throw wrong(`The JWK is for the use "${jwk.use}"`);
  if (jwk.key_ops !== undefined) {
    if (!Array.isArray(jwk.key_ops) || new Set(jwk.key_ops).size !== jwk.key_ops.length) throw wrong("key_ops of the JWK must be a list without repetitions");
    for (const u of usages) if (!jwk.key_ops.includes(u)) throw wrong(`key_ops of the JWK does not have "${u}"`);
  }
  if (jwk.ext === false && extractable) throw wrong("The JWK is not extractable");
}

function checkJWKAlgorithm(jwk, algorithm) {
  const want = jwkAlgorithm(algorithm);
  if (jwk.alg === undefined || want === undefined || jwk.alg === want) return;
  if (algorithm.name === "Ed25519" && jwk.alg === "EdDSA") return;
  throw refused("DataError", `The JWK is for the algorithm "${jwk.alg}", not "${want}"`);
}

function importKey(format, data, a, extractable, usages) {
  const { name } = a;
  if (!(name in families)) throw unsupported(name);
  if (format === "jwk") checkJWK(data, name, extractable, usages);
  else data = bufferSource(data, "The key");
  return families[name].secret ? importSecret(format, data, a, extractable, usages) : importPair(format, data, a, extractable, usages);
}

function importSecret(format, data, a, extractable, usages) {
  const { name } = a;
  if (format === "pkcs8" || format === "spki" || format === "jwk" && isDerived(name)) throw noFormat(format, name);
  const hash = name === "HMAC" ? hashOfAlgorithm(a.hash) : undefined;
  checkUsages(name, "secret", usages);
  if (isDerived(name) && extractable) throw refused("SyntaxError", `A key of ${name} can't be extractable`);
  const bytes = format === "jwk" ? secretOfJWK(data) : data.slice();
  const algorithm = secretAlgorithm(a, bytes, hash);
  if (format === "jwk") checkJWKAlgorithm(data, algorithm);
  return makeKey("secret", algorithm, extractable, usages, bytes);
}

function secretOfJWK(jwk) {
  try {
    return Uint8Array.fromBase64(jwk.k, { alphabet: "base64url" });
  } catch {
    throw refused("DataError", "k of the JWK is not base64url");
  }
}

function secretAlgorithm(a, bytes, hash) {
  const { name } = a, length = bytes.length * 8;
  if (isDerived(name)) return { name };
  if (isAES(name)) {
    if (![128, 192, 256].includes(length)) throw refused("DataError", `A key of AES has 128, 192 or 256 bits, not ${length}`);
    return { name, length };
  }
  if (length === 0) throw refused("DataError", "The key is empty");
  if (a.length === undefined) return { name, hash: { name: hash }, length };
  if (!(a.length <= length && a.length > length - 8)) throw refused("DataError", `The key has ${length} bits, not ${a.length}`);
  if (a.length % 8 > 0) bytes[bytes.length - 1] &= 0xff << 8 - a.length % 8;
  return { name, hash: { name: hash }, length: Number(a.length) };
}

// pairAlgorithm is what is said about keys that are no secrets.
function pairAlgorithm(a) {
  const { name } = a;
  if (isRSA(name)) return { name, hash: { name: hashOfAlgorithm(a.hash) } };
  return name.startsWith("EC") ? { name, namedCurve: curveOf(a) } : { name };
}

function importPair(format, data, a, extractable, usages) {
  const { name } = a, algorithm = pairAlgorithm(a);
  if (format === "raw" && isRSA(name)) throw noFormat(format, name);
  const type = format === "pkcs8" || format === "jwk" && data.d !== undefined ? "private" : "public";
  checkUsages(name, type, usages);
  if (format === "jwk") checkJWKAlgorithm(data, algorithm);
  if (format === "jwk" && data.oth !== undefined) throw refused("NotSupportedError", "RSA keys of more than two primes are not offered");
  const params = { name, curve: algorithm.namedCurve, format, jwk: format === "jwk" ? numbersOf(data) : undefined };
  const read = JSON.parse(compute(opKeyImport, params, format === "jwk" ? undefined : data));
  return pairKey(read.type, read.key, read, algorithm, extractable, usages);
}

// numbersOf is what the host needs of a JWK.
function numbersOf(jwk) {
  const numbers = {};
  for (const name of ["kty", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi"]) {
    if (jwk[name] !== undefined) numbers[name] = String(jwk[name]);
  }
  return numbers;
}

function pairKey(type, material, read, algorithm, extractable, usages) {
  if (read.modulusLength) {
    algorithm = { ...algorithm, modulusLength: read.modulusLength, publicExponent: Uint8Array.fromBase64(read.publicExponent) };
  }
  return makeKey(type, algorithm, extractable, usages, Uint8Array.fromBase64(material));
}

function exportKey(format, key) {
  const algorithm = algorithmOfKey(key), { name } = algorithm, { type } = key;
  if (isDerived(name)) throw noFormat(format, name);
  if (!key.extractable) throw refused("InvalidAccessError", "The key is not extractable");
  const params = { name, type, curve: algorithm.namedCurve, key: materialOf(key).toBase64() };
  switch (format) {
    case "jwk": return exportJWK(key, params);
    case "raw":
      if (type === "secret") return materialOf(key).slice();
      if (isRSA(name)) throw noFormat(format, name);
      if (type !== "public") break;
      return compute(opKeyRaw, params);
    default:
      if (type === "secret") throw noFormat(format, name);
      if (type !== (format === "pkcs8" ? "private" : "public")) break;
      return materialOf(key).slice();
  }
  throw refused("InvalidAccessError", `A ${type} key can't be exported as ${format}`);
}

function exportJWK(key, params) {
  const jwk = key.type === "secret"
    ? { kty: "oct", k: materialOf(key).toBase64({ alphabet: "base64url", omitPadding: true }) }
    : JSON.parse(compute(opKeyJWK, params));
  const alg = jwkAlgorithm(algorithmOfKey(key));
  if (alg !== undefined) jwk.alg = alg;
  return { ...jwk, key_ops: [...usagesOf(key)], ext: key.extractable };
}

function generateKey(a, extractable, usages) {
  const { name } = a;
  if (!(name in families) || isDerived(name)) throw unsupported(name);
  if (families[name].secret) return generateSecret(a, extractable, usages);
  const algorithm = pairAlgorithm(a), { private: forPrivate, public: forPublic } = families[name];
  for (const u of usages) if (!forPrivate.includes(u) && !forPublic.includes(u)) throw refused("SyntaxError", `Keys of ${name} can't be used to "${u}"`);
  const own = usages.filter(u => forPrivate.includes(u));
  const modulusLength = isRSA(name) ? rsaLength(a) : undefined;
  if (own.length === 0) throw refused("SyntaxError", "A private key needs a usage");
  const made = JSON.parse(compute(opKeyGenerate, { name, curve: algorithm.namedCurve, modulusLength }));
  return {
    publicKey: pairKey("public", made.public, made, algorithm, true, usages.filter(u => forPublic.includes(u))),
    privateKey: pairKey("private", made.key, made, algorithm, extractable, own),
  };
}

function rsaLength(a) {
  if (a.modulusLength === undefined || !(a.publicExponent instanceof Uint8Array)) throw new TypeError("RSA needs a modulusLength and a publicExponent");
  const e = a.publicExponent.reduce((n, b) => n * 256 + b, 0);
  if (e !== 65537) throw refused("OperationError", "RSA keys are generated with the exponent 65537");
  return Math.trunc(Number(a.modulusLength)) || 1;
}

function generateSecret(a, extractable, usages) {
  const { name } = a;
  const hash = name === "HMAC" ? hashOfAlgorithm(a.hash) : undefined;
  if (usages.length > 0) checkUsages(name, "secret", usages);
  const bits = secretLength(a);
  checkUsages(name, "secret", usages); // which may be missing only if all else is right
  return makeKey("secret", secretAlgorithm(a, new Uint8Array(bits / 8), hash), extractable, usages, randomOf(bits / 8));
}

function randomOf(n) {
  if (n > 65536) throw refused("OperationError", `A key of ${n} bytes is too long`);
  return host(opRandom, n);
}

// secretLength is how many bits a secret has that is generated or derived, in whole
// bytes; null if it may have any number.
function secretLength(a) {
  const { name } = a;
  if (isDerived(name)) return null;
  if (isAES(name)) {
    if (a.length === undefined) throw new TypeError(`${name} needs a length`);
    if (![128, 192, 256].includes(Number(a.length))) throw refused("OperationError", `A key of AES has 128, 192 or 256 bits, not ${a.length}`);
    return Number(a.length);
  }
  if (a.length === undefined) return blockSizes[hashOfAlgorithm(a.hash)] * 8;
  if (!(a.length > 0)) throw refused("OperationError", "The length of a key must be positive");
  return Math.ceil(a.length / 8) * 8;
}
