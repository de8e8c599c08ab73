// https://html.spec.whatwg.org/#structured-cloning

const errorTypes = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function structuredClone(value, options = undefined) {
  needs(1, arguments);
  const given = dictionary(options, "The options").transfer, transferred = new Set();
  for (const t of given === undefined ? [] : given) {
    if (!(t instanceof ArrayBuffer)) throw new DOMException("Only an ArrayBuffer can be transferred", "DataCloneError");
    if (t.detached || transferred.has(t)) throw cannotClone("An ArrayBuffer that is detached, or is transferred already,");
    transferred.add(t);
  }
  const seen = new Map(), copy = cloneValue(value, seen, transferred);
  for (const t of transferred) if (!seen.has(t)) transferBuffer(t);
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
  if (v instanceof ArrayBuffer) return keep(transferred.has(v) ? transferBuffer(v) : cloneBuffer(v));
  if (ArrayBuffer.isView(v)) return keep(cloneView(v, inner));
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

function cloneBuffer(buffer) {
  if (buffer.detached) throw cannotClone("A detached ArrayBuffer");
  if (!buffer.resizable) return buffer.slice();
  const copy = new ArrayBuffer(buffer.byteLength, { maxByteLength: buffer.maxByteLength });
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}

const { keys: viewKeys } = Object.getPrototypeOf(Uint8Array.prototype);

function cloneView(view, inner) {
  const isData = view instanceof DataView;
  try {
    if (isData) view.byteLength; // eslint-disable-line no-unused-expressions -- throws outside of the buffer
    else Reflect.apply(viewKeys, view, []); // likewise
  } catch {
    throw cannotClone("A view outside of its buffer");
  }
  const { byteOffset, byteLength, length } = view, size = tracksLength(view) ? undefined : isData ? byteLength : length;
  const buffer = inner(view.buffer); // which may detach that of the view
  return isData ? new DataView(buffer, byteOffset, size) : new (viewClass(view))(buffer, byteOffset, size);
}

// tracksLength: a view grows with its buffer. Only a try tells, where there is room.
function tracksLength(view) {
  const { buffer, byteLength } = view;
  if (!buffer.resizable) return false;
  const length = buffer.byteLength;
  buffer.resize(Math.min(length + 8, buffer.maxByteLength));
  const grown = view.byteLength > byteLength;
  buffer.resize(length);
  return grown;
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
