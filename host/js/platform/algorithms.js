// What crypto.subtle offers, and how keys are described:
// https://w3c.github.io/webcrypto/

const refused = (name, message) => new DOMException(message, name);
const unsupported = name => refused("NotSupportedError", `The algorithm "${name}" is not offered`);

// What keys of each algorithm may be used for, by their type.
const signing = { private: ["sign"], public: ["verify"] };
const agreeing = { private: ["deriveKey", "deriveBits"], public: [] };
const ciphering = { secret: ["encrypt", "decrypt", "wrapKey", "unwrapKey"] };
const deriving = { secret: ["deriveKey", "deriveBits"] };
const families = {
  "HMAC": { secret: ["sign", "verify"] },
  "AES-GCM": ciphering, "AES-CBC": ciphering, "AES-CTR": ciphering,
  "AES-KW": { secret: ["wrapKey", "unwrapKey"] },
  "RSASSA-PKCS1-v1_5": signing, "RSA-PSS": signing,
  "RSA-OAEP": { private: ["decrypt", "unwrapKey"], public: ["encrypt", "wrapKey"] },
  "ECDSA": signing, "Ed25519": signing,
  "ECDH": agreeing, "X25519": agreeing,
  "HKDF": deriving, "PBKDF2": deriving,
};
const familyNames = new Map(Object.keys(families).map(name => [name.toUpperCase(), name]));
const curves = ["P-256", "P-384", "P-521"];
const blockSizes = { "SHA-1": 64, "SHA-256": 64, "SHA-384": 128, "SHA-512": 128 };
const isRSA = name => name.startsWith("RSA");
const isAES = name => name.startsWith("AES");
const isDerived = name => name === "HKDF" || name === "PBKDF2";

// algorithmOf is a copy of an algorithm that a user gave, with the name of it as the
// standard spells it.
function algorithmOf(given) {
  const a = typeof given === "string" ? { name: given } : given;
  if (a === null || typeof a !== "object" || a.name === undefined) throw new TypeError("An algorithm needs a name");
  const name = String(a.name);
  return { ...a, name: familyNames.get(name.toUpperCase()) ?? name };
}

function hashOfAlgorithm(h) {
  const name = algorithmOf(h).name.toUpperCase();
  if (!(name in blockSizes)) throw unsupported(name);
  return name;
}

function curveOf(a) {
  if (a.namedCurve === undefined) throw new TypeError(`${a.name} needs a namedCurve`);
  const curve = String(a.namedCurve);
  if (!curves.includes(curve)) throw refused("NotSupportedError", `The curve "${curve}" is not offered`);
  return curve;
}

function bufferSource(data, what = "The data") {
  const bytes = bytesOf(data);
  if (!bytes) throw new TypeError(`${what} must be an ArrayBuffer or a view of one`);
  return bytes;
}

const base64 = (data, what) => data === undefined ? undefined : bufferSource(data, what).toBase64();

// compute asks the host; what it refuses is a DOMException that it names.
function compute(op, params, data) {
  try {
    return host(op, 0, JSON.stringify(params), data);
  } catch (e) {
    const found = typeof e === "string" && /^invalid:([A-Za-z]+Error): (.*)$/s.exec(e);
    throw found ? refused(found[1], found[2]) : hostError(e);
  }
}

let materialOf, algorithmOfKey, usagesOf, makeKey;

// A CryptoKey has its material: raw bytes if it is a secret, otherwise what pkcs8 or
// spki export. It is in the Worker's memory, so that keys which were imported while
// the Worker loaded are there in each request.
class CryptoKey {
  #type; #algorithm; #extractable; #usages; #material; #shown; #shownUsages;
  static {
    materialOf = key => key.#material;
    algorithmOfKey = key => key.#algorithm;
    usagesOf = key => key.#usages;
    makeKey = (type, algorithm, extractable, usages, material) => {
      const k = new CryptoKey(internal);
      k.#type = type;
      k.#algorithm = algorithm;
      k.#extractable = Boolean(extractable);
      k.#usages = usages;
      k.#material = material;
      return k;
    };
  }
  constructor(token) { if (token !== internal) throw new TypeError("Illegal constructor"); }
  get type() { return this.#type; }
  get algorithm() { return this.#shown ??= structuredClone(this.#algorithm); }
  get extractable() { return this.#extractable; }
  get usages() { return this.#shownUsages ??= [...this.#usages]; }
}

const cloneKey = key => makeKey(key.type, algorithmOfKey(key), key.extractable, usagesOf(key), materialOf(key));

const allUsages = ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];

// usageList is what a user gave, in the order of the standard.
function usageList(given) {
  const list = [...given].map(String);
  for (const u of list) if (!allUsages.includes(u)) throw new TypeError(`"${u}" is no usage of a key`);
  return allUsages.filter(u => list.includes(u));
}

function checkUsages(name, type, usages) {
  const allowed = families[name][type] ?? [];
  for (const u of usages) if (!allowed.includes(u)) throw refused("SyntaxError", `A ${type} key of ${name} can't be used to "${u}"`);
  if (usages.length === 0 && type !== "public") throw refused("SyntaxError", `A ${type} key needs a usage`);
}

// allow says whether a key is for an algorithm and a usage.
function allow(key, usage, name) {
  if (!(key instanceof CryptoKey)) throw new TypeError("The key must be a CryptoKey");
  if (algorithmOfKey(key).name !== name) throw refused("InvalidAccessError", `The key is for ${algorithmOfKey(key).name}, not ${name}`);
  if (!usagesOf(key).includes(usage)) throw refused("InvalidAccessError", `The key can't be used to ${usage}`);
}
