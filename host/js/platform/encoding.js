// https://encoding.spec.whatwg.org/ for UTF-8, which the host converts, and the
// encodings that are quick to write.

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

const encodingNames = new Map();
for (const [name, labels] of [
  ["utf-8", "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8"],
  ["utf-16le", "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le"],
  ["utf-16be", "unicodefffe utf-16be"],
  ["windows-1252", "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252"],
]) for (const label of labels.split(" ")) encodingNames.set(label, name);

const windows1252 = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ";

class TextDecoder {
  #encoding; #fatal; #ignoreBOM; #rest = null; #started = false;

  constructor(label = "utf-8", options = {}) {
    const name = encodingNames.get(String(label).trim().toLowerCase());
    if (!name) throw new RangeError(`The encoding "${label}" is not offered`);
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
    if (stream) {
      const keep = this.#unfinished(bytes);
      if (keep > 0) {
        this.#rest = bytes.slice(bytes.length - keep);
        bytes = bytes.subarray(0, bytes.length - keep);
      }
    }
    let text = this.#decode(bytes);
    if (!this.#started && text.length > 0) {
      this.#started = true;
      if (!this.#ignoreBOM && this.#encoding.startsWith("utf") && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    if (!stream) this.#started = false;
    return text;
  }

  #decode(bytes) {
    switch (this.#encoding) {
      case "utf-8": {
        const text = host(opDecode, this.#fatal ? 1 : 0, undefined, bytes);
        if (text === null) throw new TypeError("The encoded data was not valid for encoding utf-8");
        return text;
      }
      case "windows-1252": {
        const out = [];
        for (const b of bytes) out.push(b >= 0x80 && b < 0xa0 ? windows1252[b - 0x80] : String.fromCharCode(b));
        return out.join("");
      }
      default:
        return this.#utf16(bytes);
    }
  }

  #utf16(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const units = [];
    for (let i = 0; i + 1 < bytes.length; i += 2) units.push(String.fromCharCode(view.getUint16(i, this.#encoding === "utf-16le")));
    let text = units.join("");
    if (bytes.length % 2) text += "\ud800"; // becomes U+FFFD below
    if (!text.isWellFormed()) {
      if (this.#fatal) throw new TypeError(`The encoded data was not valid for encoding ${this.#encoding}`);
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
    if (this.#encoding !== "utf-8") return 0;
    for (let i = 1; i <= Math.min(3, n); i++) {
      const b = bytes[n - i];
      if (b >= 0xc0) return (b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2) > i ? i : 0;
      if (b < 0x80) return 0;
    }
    return 0;
  }
}
