// crypto: random numbers, and what Cloudflare has beside the standard.

// DigestStream is an extension of Cloudflare's: a digest of what is written to it.
// https://developers.cloudflare.com/workers/runtime-apis/web-crypto/#constructors
class DigestStream extends WritableStream {
  #digest = deferred(); #written = 0;
  constructor(algorithm) {
    const name = algorithmOf(algorithm).name.toUpperCase();
    let handle = null;
    const digest = { reject: e => this.#digest.reject(e), resolve: v => this.#digest.resolve(v), add: n => { this.#written += n; } };
    if (host(opDigest, 0, name) === null) throw unsupported(name);
    super({
      write(chunk) {
        const bytes = typeof chunk === "string" ? utf8(chunk) : bytesOf(chunk);
        if (!bytes) {
          const e = new TypeError("DigestStream is a byte stream but received an object of non-ArrayBuffer/ArrayBufferView/string type on its writable side.");
          digest.reject(e);
          throw e;
        }
        handle ??= ask(opHashOpen, 0, name);
        ask(opHashWrite, handle, undefined, bytes);
        digest.add(bytes.length);
      },
      close() {
        handle ??= ask(opHashOpen, 0, name);
        digest.resolve(bufferOf(ask(opHashSum, handle)));
      },
      abort(reason) {
        if (handle !== null) ask(opClose, handle);
        digest.reject(reason);
      },
    });
  }
  get digest() { return this.#digest.promise; }
  get bytesWritten() { return BigInt(this.#written); }
}

class Crypto {
  #subtle = new SubtleCrypto(internal);
  constructor(token) { if (token !== internal) throw new TypeError("Illegal constructor"); }
  get subtle() { return this.#subtle; }
  get DigestStream() { return DigestStream; }

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
