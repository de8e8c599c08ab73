// Calls of the host. Those that can't fail call host itself.

// What the host throws is a text: the name of a code, a colon, and a message.
function hostError(e) {
  if (typeof e !== "string") return e;
  const colon = e.indexOf(":");
  const message = e.slice(colon + 1);
  switch (e.slice(0, colon)) {
    case "invalid": return new TypeError(message);
    case "canceled": return new DOMException(message, "AbortError");
    default: return new Error(message);
  }
}

function ask(op, n, text, data) {
  try {
    return host(op, n, text, data);
  } catch (e) {
    throw hostError(e);
  }
}

// Operations of the host that go on, by their handle: what to call when they are done.
const pending = new Map();

// finished is a promise for the handle of an operation, once that is done.
function finished(h) {
  return new Promise(resolve => pending.set(h, resolve));
}

// closeHandle closes a handle, unless that has happened.
function closeHandle(h) {
  try { ask(opClose, h); } catch { /* it was */ }
}

let serving = false; // a request is being handled

function requireRequest() {
  if (!serving) {
    throw new Error("Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), setting a timeout, and generating random values are not allowed within global scope. To fix this error, perform this operation within a handler.");
  }
}

function notImplemented(what) {
  return new Error(`${what} is not offered here`);
}

// Bytes of an ArrayBuffer or a view of one, without a copy.
function bytesOf(source) {
  if (source instanceof Uint8Array) return source;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) return new Uint8Array(source);
  return undefined;
}

// buffer is the ArrayBuffer of bytes that nobody else holds.
function bufferOf(bytes) {
  if (bytes.byteLength === bytes.buffer.byteLength) return bytes.buffer;
  return bytes.slice().buffer;
}

// Neither fails for what is short, as most is; for what is long, the host may lack room.
const shortText = 21_000; // no character or byte becomes more than three bytes
const utf8 = text => text.length < shortText ? host(opEncode, 0, text) : ask(opEncode, 0, text);
const fromUTF8 = bytes => bytes.length < shortText ? host(opDecode, 0, undefined, bytes) : ask(opDecode, 0, undefined, bytes);

function define(target, name, value) {
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

// tag gives a class the name that Object.prototype.toString shows, and has its
// methods show in for-in loops, as Web IDL wants.
const platformClasses = new Set();
function tag(...classes) {
  for (const c of classes) {
    platformClasses.add(c);
    for (const [name, d] of Object.entries(Object.getOwnPropertyDescriptors(c))) {
      if (typeof d.value === "function" && name !== "prototype") Object.defineProperty(c, name, { ...d, enumerable: true });
    }
    Object.defineProperty(c.prototype, Symbol.toStringTag, { value: c.name, configurable: true });
    for (const [name, d] of Object.entries(Object.getOwnPropertyDescriptors(c.prototype))) {
      if (name !== "constructor") Object.defineProperty(c.prototype, name, { ...d, enumerable: true });
    }
  }
}

const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

// iterable gives a class the iteration over pairs of Web IDL: pairsOf finds those of
// an object, anew for each step. https://webidl.spec.whatwg.org/#idl-iterable
function iterable(c, pairsOf) {
  const steps = new WeakMap();
  const proto = Object.create(iteratorPrototype, { [Symbol.toStringTag]: { value: `${c.name} Iterator`, configurable: true } });
  Object.assign(proto, {
    next() {
      const step = steps.get(this);
      if (!step) throw new TypeError("Illegal invocation");
      const pair = pairsOf(step.of)[step.at];
      if (!pair) return { value: undefined, done: true };
      step.at++;
      return { value: step.pick(pair), done: false };
    },
  });
  const begin = (of, pick) => {
    pairsOf(of);
    const it = Object.create(proto);
    steps.set(it, { of, pick, at: 0 });
    return it;
  };
  const methods = {
    entries() { return begin(this, pair => [pair[0], pair[1]]); },
    keys() { return begin(this, pair => pair[0]); },
    values() { return begin(this, pair => pair[1]); },
    forEach(callback, self = undefined) {
      let pairs = pairsOf(this);
      if (typeof callback !== "function") throw new TypeError("forEach needs a function");
      for (let i = 0; i < pairs.length; i++, pairs = pairsOf(this)) Reflect.apply(callback, self, [pairs[i][1], pairs[i][0], this]);
    },
  };
  Object.defineProperty(methods.forEach, "length", { value: 1, configurable: true });
  for (const name of Object.keys(methods)) define(c.prototype, name, methods[name]);
  define(c.prototype, Symbol.iterator, methods.entries);
}

// needs throws if a function was called with too few arguments.
function needs(n, given) {
  if (given.length < n) throw new TypeError(`${n} arguments are required, ${given.length} were given`);
}

// internal is what constructors that are not for users are called with.
const internal = Symbol("internal");

// performanceNow is in milliseconds, since the request began.
function performanceNow() {
  return serving ? host(opClock) / 1000 : 0;
}
