// Messages of the content type "v8", in the format of V8's serializer, version 15:
// https://chromium.googlesource.com/v8/v8/+/main/src/objects/value-serializer.cc
// It is what Cloudflare's Workers write, and what node:v8 reads.

const v8Version = 15;
const viewTags = [
  [Int8Array, "b"], [Uint8Array, "B"], [Uint8ClampedArray, "C"], [Int16Array, "w"], [Uint16Array, "W"], [Int32Array, "d"], [Uint32Array, "D"],
  [Float32Array, "f"], [Float64Array, "F"], [BigInt64Array, "q"], [BigUint64Array, "Q"], [DataView, "?"],
];
const errorTags = { EvalError: "E", RangeError: "R", ReferenceError: "F", SyntaxError: "S", TypeError: "T", URIError: "U" };
const regexpFlags = "gimyus"; // each is a bit, from the lowest on
const regexpIndices = 128, regexpSets = 256;

class V8Writer {
  #bytes = new Uint8Array(256); #view = new DataView(this.#bytes.buffer); #n = 0;
  #ids = new Map(); // of objects

  done() { return this.#bytes.slice(0, this.#n); }

  #room(n) {
    if (this.#n + n <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#n + n));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  byte(b) {
    this.#room(1);
    this.#bytes[this.#n++] = b;
  }
  tag(t) { this.byte(t.charCodeAt(0)); }
  raw(bytes) {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#n);
    this.#n += bytes.length;
  }
  number(n) {
    for (; n >= 0x80; n = Math.floor(n / 0x80)) this.byte(n % 0x80 | 0x80);
    this.byte(n);
  }
  double(v) {
    this.#room(8);
    this.#view.setFloat64(this.#n, v, true);
    this.#n += 8;
  }
  bigint(v) {
    const size = Math.ceil((v < 0n ? -v : v).toString(16).length / 16) * 8;
    const bytes = v === 0n ? 0 : size;
    this.number(bytes * 2 + (v < 0n ? 1 : 0));
    let rest = v < 0n ? -v : v;
    for (let i = 0; i < bytes; i++, rest >>= 8n) this.byte(Number(rest & 0xffn));
  }
  string(s) {
    let wide = false;
    for (let i = 0; i < s.length && !wide; i++) wide = s.charCodeAt(i) > 0xff;
    if (wide) return this.#wideString(s);
    this.tag('"');
    this.number(s.length);
    this.#room(s.length);
    for (let i = 0; i < s.length; i++) this.#bytes[this.#n++] = s.charCodeAt(i);
  }
  #wideString(s) {
    let head = 2;
    for (let n = 2 * s.length; n >= 0x80; n = Math.floor(n / 0x80)) head++;
    if ((this.#n + head) % 2) this.byte(0); // units are at even places
    this.tag("c");
    this.number(2 * s.length);
    this.#room(2 * s.length);
    for (let i = 0; i < s.length; i++, this.#n += 2) this.#view.setUint16(this.#n, s.charCodeAt(i), true);
  }

  value(v) {
    switch (typeof v) {
      case "undefined": return this.tag("_");
      case "boolean": return this.tag(v ? "T" : "F");
      case "string": return this.string(v);
      case "bigint": return this.tag("Z"), this.bigint(v);
      case "number": return this.#numeric(v);
      case "object": return v === null ? this.tag("0") : this.#object(v);
    }
    throw cannotClone(typeof v === "symbol" ? String(v) : v.name || "function");
  }

  #numeric(v) {
    if (v === (v | 0) && !Object.is(v, -0)) {
      this.tag("I");
      return this.number(((v << 1) ^ (v >> 31)) >>> 0);
    }
    this.tag("N");
    this.double(v);
  }

  #object(v) {
    if (ArrayBuffer.isView(v) && !this.#ids.has(v)) this.#object(v.buffer); // the buffer is first, then the view of it
    const known = this.#ids.get(v);
    if (known !== undefined) return this.tag("^"), this.number(known);
    this.#ids.set(v, this.#ids.size);
    if (v instanceof ArrayBuffer) return this.tag("B"), this.number(v.byteLength), this.raw(new Uint8Array(v));
    if (ArrayBuffer.isView(v)) return this.#viewOf(v);
    if (Array.isArray(v)) return this.#array(v);
    if (v instanceof Date) return this.tag("D"), this.double(v.getTime());
    if (v instanceof RegExp) return this.#regexp(v);
    if (v instanceof Map) return this.#list(";", ":", [...v].flat());
    if (v instanceof Set) return this.#list("'", ",", [...v]);
    if (v instanceof Error) return this.#error(v);
    if (v instanceof Boolean) return this.tag(v.valueOf() ? "y" : "x");
    if (v instanceof Number) return this.tag("n"), this.double(v.valueOf());
    if (v instanceof String) return this.tag("s"), this.string(v.valueOf());
    if (v instanceof BigInt) return this.tag("z"), this.bigint(v.valueOf());
    if (v instanceof Promise || v instanceof WeakMap || v instanceof WeakSet || v instanceof WeakRef || isPlatformObject(v)) throw cannotClone(Object.prototype.toString.call(v));
    this.tag("o");
    const n = this.#properties(v, Object.keys(v));
    this.tag("{");
    this.number(n);
  }

  #properties(v, keys) {
    for (const key of keys) {
      const index = Number(key);
      if (String(index) === key && index === index >>> 0) this.#numeric(index);
      else this.string(key);
      this.value(v[key]);
    }
    return keys.length;
  }

  #array(v) {
    const keys = Object.keys(v), dense = keys.length >= v.length && (v.length === 0 || keys[v.length - 1] === String(v.length - 1));
    this.tag(dense ? "A" : "a");
    this.number(v.length);
    const length = v.length;
    if (dense) for (let i = 0; i < length; i++) this.value(v[i]);
    const n = this.#properties(v, dense ? keys.slice(length) : keys);
    this.tag(dense ? "$" : "@");
    this.number(n);
    this.number(length);
  }

  #list(begin, end, items) {
    this.tag(begin);
    for (const item of items) this.value(item);
    this.tag(end);
    this.number(items.length);
  }

  #viewOf(v) {
    const found = viewTags.find(([c]) => v instanceof c);
    if (!found) throw cannotClone(Object.prototype.toString.call(v));
    this.tag("V");
    this.tag(found[1]);
    this.number(v.byteOffset);
    this.number(v.byteLength);
    this.number(0);
  }

  #regexp(v) {
    let bits = 0;
    for (const [i, flag] of [...regexpFlags].entries()) if (v.flags.includes(flag)) bits |= 1 << i;
    if (v.flags.includes("d")) bits |= regexpIndices;
    if (v.flags.includes("v")) bits |= regexpSets;
    this.tag("R");
    this.string(v.source);
    this.number(bits);
  }

  #error(e) {
    this.tag("r");
    if (errorTags[e.name]) this.tag(errorTags[e.name]);
    if (Object.hasOwn(e, "message")) this.tag("m"), this.string(String(e.message));
    if (Object.hasOwn(e, "cause")) this.tag("c"), this.value(e.cause);
    if (typeof e.stack === "string") this.tag("s"), this.string(e.stack);
    this.tag(".");
  }
}

function v8Serialize(v) {
  const w = new V8Writer();
  w.byte(0xff);
  w.byte(v8Version);
  w.value(v);
  return w.done();
}

const malformedV8 = () => new DOMException("The message could not be deserialized.", "DataCloneError");

class V8Reader {
  #bytes; #view; #at = 0; #objects = []; #version = 0;
  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    while (bytes[this.#at] === 0xff) {
      this.#at++;
      this.#version = this.number();
    }
    if (this.#version < 13 || this.#version > v8Version) throw malformedV8();
  }

  #take(n) {
    if (!(n <= this.#bytes.length - this.#at)) throw malformedV8();
    this.#at += n;
    return this.#at - n;
  }
  #tag() {
    let b = 0;
    while (b === 0) b = this.#bytes[this.#take(1)];
    return String.fromCharCode(b);
  }
  #follows(t) { return this.#bytes[this.#at] === t.charCodeAt(0); }
  number() {
    for (let n = 0, scale = 1; scale <= 2 ** 28; scale *= 0x80) {
      const b = this.#bytes[this.#take(1)];
      n += (b & 0x7f) * scale;
      if (b < 0x80) return n;
    }
    throw malformedV8();
  }
  #double() { return this.#view.getFloat64(this.#take(8), true); }
  #raw(n) { return this.#bytes.slice(this.#take(n), this.#at); }
  #bigint() {
    const bits = this.number(), size = Math.floor(bits / 2);
    let v = 0n;
    for (let i = this.#take(size) + size - 1; i >= this.#at - size; i--) v = v << 8n | BigInt(this.#bytes[i]);
    return bits % 2 ? -v : v;
  }
  #string(tag = this.#tag()) {
    const units = [], n = this.number(), from = this.#take(n);
    switch (tag) {
      case "S": return fromUTF8(this.#bytes.subarray(from, from + n));
      case '"':
        for (let i = 0; i < n; i++) units.push(String.fromCharCode(this.#bytes[from + i]));
        return units.join("");
      case "c":
        if (n % 2) throw malformedV8();
        for (let i = 0; i < n; i += 2) units.push(String.fromCharCode(this.#view.getUint16(from + i, true)));
        return units.join("");
    }
    throw malformedV8();
  }

  #keep(v) {
    this.#objects.push(v);
    return v;
  }

  value() {
    let v = this.#value(this.#tag());
    while (v instanceof ArrayBuffer && this.#follows("V")) v = this.#viewOf(v);
    return v;
  }

  #value(tag) {
    switch (tag) {
      case "_": return undefined;
      case "0": return null;
      case "T": return true;
      case "F": return false;
      case "I": {
        const n = this.number();
        return n % 2 ? -(n + 1) / 2 : n / 2;
      }
      case "U": return this.number();
      case "N": return this.#double();
      case "Z": return this.#bigint();
      case "S": case '"': case "c": return this.#string(tag);
      case "^": {
        const id = this.number();
        if (id >= this.#objects.length) throw malformedV8();
        return this.#objects[id];
      }
      case "o": return this.#properties(this.#keep({}), "{");
      case "A": return this.#dense();
      case "a": return this.#sparse();
      case "D": return this.#keep(new Date(this.#double()));
      case "y": return this.#keep(Object(true));
      case "x": return this.#keep(Object(false));
      case "n": return this.#keep(Object(this.#double()));
      case "z": return this.#keep(Object(this.#bigint()));
      case "s": return this.#keep(Object(this.#string()));
      case "R": return this.#regexp();
      case ";": return this.#map();
      case "'": return this.#set();
      case "B": return this.#keep(bufferOf(this.#raw(this.number())));
      case "r": return this.#error();
    }
    throw malformedV8();
  }

  // properties reads pairs up to the tag end and their number.
  #properties(to, end) {
    let n = 0;
    for (; !this.#ends(end); n++) {
      const key = this.value();
      if (typeof key !== "string" && typeof key !== "number") throw malformedV8();
      Object.defineProperty(to, key, { value: this.value(), writable: true, enumerable: true, configurable: true });
    }
    if (this.number() !== n) throw malformedV8();
    return to;
  }
  #ends(end) {
    while (this.#bytes[this.#at] === 0) this.#at++;
    if (!this.#follows(end)) return false;
    this.#at++;
    return true;
  }
  #dense() {
    const length = this.number(), list = this.#keep([]);
    if (length > this.#bytes.length - this.#at) throw malformedV8();
    for (let i = 0; i < length; i++) {
      if (this.#ends("-")) list.length++;
      else list[i] = this.value();
    }
    this.#properties(list, "$");
    if (this.number() !== length) throw malformedV8();
    return list;
  }
  #sparse() {
    const list = this.#keep([]), length = this.number();
    if (length > 0xffffffff) throw malformedV8();
    list.length = length;
    this.#properties(list, "@");
    if (this.number() !== length || list.length !== length) throw malformedV8();
    return list;
  }
  #map() {
    const map = this.#keep(new Map());
    let n = 0;
    for (; !this.#ends(":"); n += 2) map.set(this.value(), this.value());
    if (this.number() !== n) throw malformedV8();
    return map;
  }
  #set() {
    const set = this.#keep(new Set());
    let n = 0;
    for (; !this.#ends(","); n++) set.add(this.value());
    if (this.number() !== n) throw malformedV8();
    return set;
  }
  #regexp() {
    const source = this.#string(), bits = this.number();
    let flags = [...regexpFlags].filter((_, i) => bits & 1 << i).join("");
    if (bits & regexpIndices) flags += "d";
    if (bits & regexpSets) flags += "v";
    try {
      return this.#keep(new RegExp(source, flags));
    } catch {
      throw malformedV8();
    }
  }
  #viewOf(buffer) {
    this.#at++;
    const tag = this.#tag(), at = this.number(), size = this.number();
    if (this.#version >= 14) this.number();
    const [type] = viewTags.find(([, t]) => t === tag) ?? [];
    if (!type || at + size > buffer.byteLength) throw malformedV8();
    const width = type.BYTES_PER_ELEMENT ?? 1;
    if (at % width || size % width) throw malformedV8();
    return this.#keep(new type(buffer, at, size / width));
  }
  #error() {
    const e = this.#keep(new Error());
    delete e.message;
    let type = Error;
    for (let tag = this.#tag(); tag !== "."; tag = this.#tag()) {
      const name = Object.keys(errorTags).find(name => errorTags[name] === tag);
      if (name) type = errorTypes[name];
      else if (tag === "m") define(e, "message", this.#string());
      else if (tag === "c") define(e, "cause", this.value());
      else if (tag === "s") define(e, "stack", this.#string());
      else throw malformedV8();
    }
    return Object.setPrototypeOf(e, type.prototype);
  }
}

function v8Deserialize(bytes) { return new V8Reader(bytes).value(); }
