// https://url.spec.whatwg.org/. The host parses; see url.go for the order of parts.

const hrefPart = 0, protocolPart = 1, usernamePart = 2, passwordPart = 3, hostPart = 4, hostnamePart = 5, portPart = 6, pathnamePart = 7, searchPart = 8, hashPart = 9;
const specialOrigins = new Set(["http:", "https:", "ws:", "wss:", "ftp:"]);

let searchChanged;

function partsOf(url, base) {
  url = String(url);
  const parts = base === undefined ? host(opURLParse, 0, url) : host(opURLParse, 1, url, String(base));
  return parts === null ? null : parts.split("\0");
}

class URL {
  #parts; #params = null;

  static {
    searchChanged = (u, search) => { u.#set(searchPart, search); };
  }

  constructor(url, base = undefined) {
    if (arguments.length === 0) throw new TypeError("URL needs a string");
    this.#parts = url === internal ? base : partsOf(url, base);
    if (this.#parts === null) throw new TypeError("Invalid URL string.");
  }

  static canParse(url, base = undefined) {
    needs(1, arguments);
    return partsOf(url, base) !== null;
  }

  static parse(url, base = undefined) {
    needs(1, arguments);
    const parts = partsOf(url, base);
    return parts === null ? null : new URL(internal, parts);
  }

  #set(part, value) {
    const parts = host(opURLSet, part, this.#parts[hrefPart], String(value));
    if (parts !== null) this.#parts = parts.split("\0");
  }

  get href() { return this.#parts[hrefPart]; }
  set href(value) {
    const parts = partsOf(value);
    if (parts === null) throw new TypeError("Invalid URL string.");
    this.#parts = parts;
    if (this.#params) resetParams(this.#params, this.#parts[searchPart]);
  }

  get origin() {
    const protocol = this.#parts[protocolPart];
    if (specialOrigins.has(protocol)) return `${protocol}//${this.#parts[hostPart]}`;
    if (protocol !== "blob:") return "null";
    const inner = URL.parse(this.#parts[pathnamePart]);
    return inner && (inner.protocol === "http:" || inner.protocol === "https:") ? inner.origin : "null";
  }

  get protocol() { return this.#parts[protocolPart]; }
  set protocol(v) { this.#set(protocolPart, v); }
  get username() { return this.#parts[usernamePart]; }
  set username(v) { this.#set(usernamePart, v); }
  get password() { return this.#parts[passwordPart]; }
  set password(v) { this.#set(passwordPart, v); }
  get host() { return this.#parts[hostPart]; }
  set host(v) { this.#set(hostPart, v); }
  get hostname() { return this.#parts[hostnamePart]; }
  set hostname(v) { this.#set(hostnamePart, v); }
  get port() { return this.#parts[portPart]; }
  set port(v) { this.#set(portPart, v); }
  get pathname() { return this.#parts[pathnamePart]; }
  set pathname(v) { this.#set(pathnamePart, v); }
  get hash() { return this.#parts[hashPart]; }
  set hash(v) { this.#set(hashPart, v); }

  get search() { return this.#parts[searchPart]; }
  set search(v) {
    this.#set(searchPart, v);
    if (this.#params) resetParams(this.#params, this.#parts[searchPart]);
  }

  get searchParams() { return this.#params ??= paramsOf(this, this.#parts[searchPart]); }

  toString() { return this.#parts[hrefPart]; }
  toJSON() { return this.#parts[hrefPart]; }
}

let paramsOf, resetParams, pairsOfParams;

class URLSearchParams {
  #list = []; // pairs
  #url = null;

  static {
    paramsOf = (url, search) => {
      const p = new URLSearchParams(search);
      p.#url = url;
      return p;
    };
    pairsOfParams = p => p.#list;
    resetParams = (p, search) => { p.#list = parseForm(search.slice(1)); };
  }

  constructor(init = "") {
    if (init !== null && (typeof init === "object" || typeof init === "function")) {
      const iterate = init[Symbol.iterator];
      if (iterate === undefined || iterate === null) this.#list = recordOf(init, usv);
      else this.#list = pairsOfSequence(init, iterate).map(([name, value]) => [usv(name), usv(value)]);
      return;
    }
    const text = usv(init);
    this.#list = parseForm(text[0] === "?" ? text.slice(1) : text);
  }

  #changed() { if (this.#url) searchChanged(this.#url, this.toString()); }

  get size() { return this.#list.length; }

  append(name, value) {
    needs(2, arguments);
    this.#list.push([usv(name), usv(value)]);
    this.#changed();
  }

  delete(name, value = undefined) {
    needs(1, arguments);
    name = usv(name);
    this.#list = this.#list.filter(p => p[0] !== name || value !== undefined && p[1] !== usv(value));
    this.#changed();
  }

  get(name) {
    needs(1, arguments);
    name = usv(name);
    return this.#list.find(p => p[0] === name)?.[1] ?? null;
  }

  getAll(name) {
    needs(1, arguments);
    name = usv(name);
    return this.#list.filter(p => p[0] === name).map(p => p[1]);
  }

  has(name, value = undefined) {
    needs(1, arguments);
    name = usv(name);
    return this.#list.some(p => p[0] === name && (value === undefined || p[1] === usv(value)));
  }

  set(name, value) {
    needs(2, arguments);
    name = usv(name);
    value = usv(value);
    const at = this.#list.findIndex(p => p[0] === name);
    if (at < 0) this.#list.push([name, value]);
    else {
      this.#list[at][1] = value;
      this.#list = this.#list.filter((p, i) => i <= at || p[0] !== name);
    }
    this.#changed();
  }

  sort() {
    this.#list.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0); // stable, by code units
    this.#changed();
  }

  toString() { return this.#list.map(([name, value]) => `${formEscape(name)}=${formEscape(value)}`).join("&"); }
}
iterable(URLSearchParams, p => pairsOfParams(p));

const usv = v => String(v).toWellFormed();

function parseForm(text) {
  const list = [];
  for (const piece of text.split("&")) {
    if (piece === "") continue;
    const at = piece.indexOf("=");
    list.push(at < 0 ? [formUnescape(piece), ""] : [formUnescape(piece.slice(0, at)), formUnescape(piece.slice(at + 1))]);
  }
  return list;
}

function formUnescape(text) {
  text = text.replaceAll("+", " ");
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch { // not UTF-8, or a percent sign alone
    return fromUTF8(percentDecode(utf8(text)));
  }
}

function percentDecode(bytes) {
  const hex = b => b >= 48 && b <= 57 ? b - 48 : b >= 65 && b <= 70 ? b - 55 : b >= 97 && b <= 102 ? b - 87 : -1;
  const out = [];
  for (let i = 0; i < bytes.length; i++) {
    const high = bytes[i] === 37 ? hex(bytes[i + 1]) : -1, low = high < 0 ? -1 : hex(bytes[i + 2]);
    if (low < 0) out.push(bytes[i]);
    else {
      out.push(high * 16 + low);
      i += 2;
    }
  }
  return new Uint8Array(out);
}

// formEscape leaves alphanumerics and *-._ alone.
function formEscape(text) {
  return encodeURIComponent(text).replace(/[!'()~]|%20/g, c => c === "%20" ? "+" : "%" + c.charCodeAt(0).toString(16).toUpperCase());
}
