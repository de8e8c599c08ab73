// https://w3c.github.io/FileAPI/ and https://xhr.spec.whatwg.org/#interface-formdata

let blobBytes, entriesOfForm;

class Blob {
  #bytes; #type;

  static { blobBytes = b => b.#bytes; }

  constructor(parts = undefined, options = {}) {
    if (parts === internal) {
      this.#bytes = options;
      this.#type = "";
      return;
    }
    const chunks = blobParts(parts), { endings, type } = blobOptions(options);
    this.#bytes = join(chunks.map(part => typeof part === "string" ? utf8(endings === "native" ? part.replace(/\r\n?/g, "\n") : part) : part instanceof Blob ? part.#bytes : bytesOf(part)));
    this.#type = blobType(type);
  }

  get size() { return this.#bytes.length; }
  get type() { return this.#type; }

  slice(start = 0, end = this.size, type = "") {
    const within = n => n < 0 ? Math.max(this.size + n, 0) : Math.min(n, this.size);
    const from = within(clamp(start)), to = within(clamp(end));
    const part = new Blob(internal, this.#bytes.subarray(from, Math.max(from, to))); // which nobody changes
    part.#type = blobType(String(type));
    return part;
  }

  async text() { return fromUTF8(this.#bytes); }
  async arrayBuffer() { return this.#bytes.slice().buffer; }
  async bytes() { return this.#bytes.slice(); }
  stream() { return streamOf(this.#bytes); }
}

const blobType = type => /[^\x20-\x7e]/.test(type) ? "" : type.toLowerCase();

// blobParts converts a sequence, a part at a time, while users may change it.
function blobParts(parts) {
  if (parts === undefined) return [];
  const iterate = parts !== null && (typeof parts === "object" || typeof parts === "function") ? parts[Symbol.iterator] : undefined;
  if (typeof iterate !== "function") throw new TypeError("Blob needs a sequence of parts");
  const out = [];
  for (const part of { [Symbol.iterator]: () => Reflect.apply(iterate, parts, []) }) {
    out.push(part instanceof Blob || bytesOf(part) ? part : String(part));
  }
  return out;
}

// blobOptions are read in the order of their names.
function blobOptions(options) {
  const given = dictionary(options, "The options"), endings = String(given.endings ?? "transparent");
  if (endings !== "transparent" && endings !== "native") throw new TypeError(`Invalid endings: ${endings}`);
  const { type } = given;
  return { endings, type: type === undefined ? "" : String(type) };
}

// clamp is https://webidl.spec.whatwg.org/#Clamp of a long long: halves go to even numbers.
function clamp(v) {
  const n = Number(v) || 0, floor = Math.floor(n);
  if (n - floor !== 0.5) return Math.round(n);
  return floor % 2 === 0 ? floor : floor + 1;
}

// join copies byte arrays into one.
function join(chunks) {
  let n = 0;
  for (const c of chunks) n += c.length;
  const out = new Uint8Array(n);
  n = 0;
  for (const c of chunks) {
    out.set(c, n);
    n += c.length;
  }
  return out;
}

class File extends Blob {
  #name; #modified;
  constructor(parts, name, options = {}) {
    if (arguments.length < 2) throw new TypeError("File needs parts and a name");
    super(parts, options);
    this.#name = String(name);
    const modified = options?.lastModified;
    this.#modified = modified === undefined ? Date.now() : Math.trunc(Number(modified)) || 0;
  }
  get name() { return this.#name; }
  get lastModified() { return this.#modified; }
}

class FormData {
  #entries = [];

  constructor(form) { if (form !== undefined) throw new TypeError("FormData of a form is not offered"); }

  #entry(name, value, filename) {
    name = String(name).toWellFormed();
    if (!(value instanceof Blob)) {
      if (filename !== undefined) throw new TypeError("only a Blob has a file name");
      return [name, String(value).toWellFormed()];
    }
    if (value instanceof File && filename === undefined) return [name, value];
    return [name, new File([value], filename ?? "blob", { type: value.type, lastModified: value.lastModified })];
  }

  append(name, value, filename) { this.#entries.push(this.#entry(name, value, filename)); }
  delete(name) { this.#entries = this.#entries.filter(e => e[0] !== String(name)); }
  get(name) { return this.#entries.find(e => e[0] === String(name))?.[1] ?? null; }
  getAll(name) { return this.#entries.filter(e => e[0] === String(name)).map(e => e[1]); }
  has(name) { return this.#entries.some(e => e[0] === String(name)); }

  set(name, value, filename) {
    const entry = this.#entry(name, value, filename);
    const at = this.#entries.findIndex(e => e[0] === entry[0]);
    if (at < 0) return void this.#entries.push(entry);
    this.#entries = this.#entries.filter((e, i) => i <= at || e[0] !== entry[0]);
    this.#entries[at] = entry;
  }

  static { entriesOfForm = f => f.#entries; }
}
iterable(FormData, f => entriesOfForm(f));

// multipart writes a form (RFC 7578).
function multipart(form, boundary) {
  const escape = s => s.replace(/\r\n?|\n/g, "%0D%0A").replace(/"/g, "%22");
  const chunks = [];
  for (const [name, value] of form) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escape(name)}"`;
    if (typeof value === "string") {
      chunks.push(utf8(`${head}\r\n\r\n${value.replace(/\r\n?|\n/g, "\r\n")}\r\n`));
      continue;
    }
    head += `; filename="${escape(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}\r\n\r\n`;
    chunks.push(utf8(head), blobBytes(value), utf8("\r\n"));
  }
  chunks.push(utf8(`--${boundary}--\r\n`));
  return join(chunks);
}

// parseMultipart reads what multipart writes.
function parseMultipart(bytes, boundary) {
  const form = new FormData();
  const bad = () => new TypeError("The body is not well-formed multipart/form-data");
  const delimiter = utf8("\r\n--" + boundary);
  const all = join([utf8("\r\n"), bytes]); // the first delimiter is like the others
  let at = indexOf(all, delimiter, 0);
  if (at < 0) throw bad();
  for (;;) {
    at += delimiter.length;
    if (all[at] === 45 && all[at + 1] === 45) return form;
    const head = indexOf(all, utf8("\r\n\r\n"), at);
    const end = head < 0 ? -1 : indexOf(all, delimiter, head + 2);
    if (end < 0) throw bad();
    addPart(form, fromUTF8(all.subarray(at, head)), all.slice(Math.min(head + 4, end), end), bad);
    at = end;
  }
}

function addPart(form, head, content, bad) {
  const unescape = s => s.replace(/%0D%0A/gi, "\r\n").replace(/%22/g, '"');
  const name = /;\s*name="([^"]*)"/i.exec(head);
  if (!name) throw bad();
  const filename = /;\s*filename="([^"]*)"/i.exec(head);
  if (!filename) return form.append(unescape(name[1]), fromUTF8(content));
  const type = /^content-type:\s*(.*)$/im.exec(head);
  form.append(unescape(name[1]), new File([content], unescape(filename[1]), { type: type ? type[1].trim() : "text/plain" }));
}

function indexOf(bytes, wanted, from) {
  outer: for (let i = bytes.indexOf(wanted[0], from); i >= 0 && i + wanted.length <= bytes.length; i = bytes.indexOf(wanted[0], i + 1)) {
    for (let k = 1; k < wanted.length; k++) if (bytes[i + k] !== wanted[k]) continue outer;
    return i;
  }
  return -1;
}
