// https://html.spec.whatwg.org/#structured-cloning

const errorTypes = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function structuredClone(value, options) {
  const transferred = new Set(options?.transfer ?? []);
  const seen = new Map();
  for (const t of transferred) {
    if (!(t instanceof ArrayBuffer)) throw new DOMException("Only an ArrayBuffer can be transferred", "DataCloneError");
  }
  const copy = cloneValue(value, seen, transferred);
  return copy;
}

const cannotClone = what => new DOMException(`${what} could not be cloned.`, "DataCloneError");

function cloneValue(v, seen, transferred) {
  if (typeof v === "symbol") throw cannotClone(String(v));
  if (typeof v === "function") throw cannotClone(`${v.name || "function"}`);
  if (v === null || typeof v !== "object") return v;
  if (seen.has(v)) return seen.get(v);
  const keep = copy => {
    seen.set(v, copy);
    return copy;
  };
  const inner = x => cloneValue(x, seen, transferred);
  if (v instanceof ArrayBuffer) return keep(transferred.has(v) ? v.transfer() : v.slice());
  if (ArrayBuffer.isView(v)) {
    const buffer = inner(v.buffer);
    return keep(v instanceof DataView ? new DataView(buffer, v.byteOffset, v.byteLength) : new v.constructor(buffer, v.byteOffset, v.length));
  }
  if (v instanceof Date) return keep(new Date(v.getTime()));
  if (v instanceof RegExp) return keep(new RegExp(v.source, v.flags));
  if (v instanceof Boolean || v instanceof Number || v instanceof String || v instanceof BigInt) return keep(Object(v.valueOf()));
  if (v instanceof CryptoKey) return keep(cloneKey(v));
  if (v instanceof File) return keep(new File([blobBytes(v)], v.name, { type: v.type, lastModified: v.lastModified }));
  if (v instanceof Blob) return keep(new Blob([blobBytes(v)], { type: v.type }));
  if (v instanceof Map) {
    const copy = keep(new Map());
    for (const [k, x] of [...v]) copy.set(inner(k), inner(x));
    return copy;
  }
  if (v instanceof Set) {
    const copy = keep(new Set());
    for (const x of [...v]) copy.add(inner(x));
    return copy;
  }
  if (v instanceof Error) return cloneError(v, keep, inner);
  if (v instanceof Promise || v instanceof WeakMap || v instanceof WeakSet || v instanceof WeakRef || isPlatformObject(v)) throw cannotClone(Object.prototype.toString.call(v));
  const copy = keep(Array.isArray(v) ? new Array(v.length) : {});
  for (const name of Object.keys(v)) copy[name] = inner(v[name]);
  return copy;
}

function isPlatformObject(v) {
  const proto = Object.getPrototypeOf(v);
  return proto !== null && proto !== Object.prototype && proto !== Array.prototype && [...platformClasses].some(c => v instanceof c);
}

function cloneError(v, keep, inner) {
  const copy = keep(Object.create((errorTypes[v.name] ?? Error).prototype));
  if (Object.hasOwn(v, "message")) define(copy, "message", String(v.message));
  if (typeof v.stack === "string") define(copy, "stack", v.stack);
  if (Object.hasOwn(v, "cause")) define(copy, "cause", inner(v.cause));
  return copy;
}
