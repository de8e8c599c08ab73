// https://encoding.spec.whatwg.org/. The host converts UTF-8 and all older encodings.

class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(text = "") { return utf8(String(text)); }
  encodeInto(text, target) {
    text = String(text);
    if (!(target instanceof Uint8Array)) throw new TypeError("encodeInto needs a Uint8Array");
    const bytes = utf8(text);
    if (bytes.length <= target.length) {
      target.set(bytes);
      return { read: text.length, written: bytes.length };
    }
    let end = target.length;
    while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
    target.set(bytes.subarray(0, end));
    return { read: fromUTF8(bytes.subarray(0, end)).length, written: end };
  }
}

const nameOfEncoding = label => /^utf-?8$/i.test(label) ? "utf-8" : host(opEncodingName, 0, label);

class TextDecoder {
  #encoding; #fatal; #ignoreBOM; #rest = null; #started = false;
  #given = 0; // of the text of #rest, of an encoding whose bytes have their meaning by those before

  constructor(label = "utf-8", options = {}) {
    label = String(label);
    const name = nameOfEncoding(label);
    if (name === null) throw new RangeError(`The encoding "${label}" is not offered`);
    this.#encoding = name;
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBOM = Boolean(options?.ignoreBOM);
  }

  get encoding() { return this.#encoding; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBOM; }

  decode(input, options) {
    const stream = Boolean(options?.stream);
    let bytes = input === undefined ? new Uint8Array() : bytesOf(input);
    if (!bytes) throw new TypeError("decode needs an ArrayBuffer or a view of one");
    if (this.#rest) {
      const joined = new Uint8Array(this.#rest.length + bytes.length);
      joined.set(this.#rest);
      joined.set(bytes, this.#rest.length);
      bytes = joined;
    }
    this.#rest = null;
    let text = this.#encoding.startsWith("utf-") ? this.#decodeUnicode(bytes, stream) : this.#decodeOther(bytes, stream);
    if (!this.#started && text.length > 0) {
      this.#started = true;
      if (!this.#ignoreBOM && this.#encoding.startsWith("utf") && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    if (!stream) this.#started = false;
    return text;
  }

  #malformed() {
    return new TypeError(`The encoded data was not valid for encoding ${this.#encoding}`);
  }

  #decodeUnicode(bytes, stream) {
    const keep = stream ? this.#unfinished(bytes) : 0;
    if (keep > 0) {
      this.#rest = bytes.slice(bytes.length - keep);
      bytes = bytes.subarray(0, bytes.length - keep);
    }
    if (this.#encoding !== "utf-8") return this.#utf16(bytes);
    const text = ask(opDecode, this.#fatal ? 1 : 0, undefined, bytes);
    if (text === null) throw this.#malformed();
    return text;
  }

  #decodeOther(bytes, stream) {
    const out = ask(opDecodeFrom, (this.#fatal ? 1 : 0) | (stream ? 2 : 0), this.#encoding, bytes);
    if (out === null) {
      this.#given = 0;
      throw this.#malformed();
    }
    const text = out.slice(1 + this.#given);
    if (this.#encoding === "iso-2022-jp") {
      this.#given = stream ? out.length - 1 : 0;
      if (stream) this.#rest = bytes.slice();
    } else if (stream) this.#rest = bytes.slice(bytes.length - (out.charCodeAt(0) - 48));
    return text;
  }

  #utf16(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const units = [];
    for (let i = 0; i + 1 < bytes.length; i += 2) units.push(String.fromCharCode(view.getUint16(i, this.#encoding === "utf-16le")));
    let text = units.join("");
    if (bytes.length % 2) text += "\ud800"; // becomes U+FFFD below
    if (!text.isWellFormed()) {
      if (this.#fatal) throw this.#malformed();
      text = text.toWellFormed();
    }
    return text;
  }

  // How many bytes at the end may be the beginning of a character.
  #unfinished(bytes) {
    const n = bytes.length;
    if (this.#encoding.startsWith("utf-16")) {
      const odd = n % 2;
      if (n - odd < 2) return odd;
      const high = this.#encoding === "utf-16le" ? bytes[n - odd - 1] : bytes[n - odd - 2];
      return (high & 0xfc) === 0xd8 ? odd + 2 : odd;
    }
    for (let i = 1; i <= Math.min(3, n); i++) {
      const b = bytes[n - i];
      if (b >= 0xc2 && b <= 0xf4) return length8(b) > i && (i === 1 || second8(b, bytes[n - i + 1])) ? i : 0;
      if (b < 0x80 || b >= 0xc0) return 0;
    }
    return 0;
  }
}

// How many bytes a character of UTF-8 has that begins with b, and whether a byte may
// follow that: https://encoding.spec.whatwg.org/#utf-8-decoder
const length8 = b => b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2;
const second8 = (b, next) => next >= (b === 0xe0 ? 0xa0 : b === 0xf0 ? 0x90 : 0x80) && next <= (b === 0xed ? 0x9f : b === 0xf4 ? 0x8f : 0xbf);
