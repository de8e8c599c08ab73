// https://fetch.spec.whatwg.org/#headers-class

const isToken = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const badValue = /[\0\r\n]|[^\0-\xff]/;
const edges = /^[\t\n\r ]+|[\t\n\r ]+$/g;

function headerName(name) {
  name = String(name);
  if (!isToken.test(name)) throw new TypeError(`Invalid header name: ${JSON.stringify(name)}`);
  return name.toLowerCase();
}

function headerValue(value) {
  value = String(value);
  if (value.charCodeAt(0) <= 32 || value.charCodeAt(value.length - 1) <= 32) value = value.replace(edges, "");
  if (badValue.test(value)) throw new TypeError("Invalid header value");
  return value;
}

let headersBlock, headersFrom, lockHeaders, headersList, sortedHeaders;

class Headers {
  // Lower-case names and values in turn; null as long as only the host has them.
  #list; #locked = false;

  static {
    headersFrom = (list, locked) => {
      const h = new Headers();
      h.#list = list;
      h.#locked = locked;
      return h;
    };
    headersBlock = h => {
      const list = h.#fields();
      return list.length === 0 ? "" : list.join("\0") + "\0";
    };
    headersList = h => h.#fields();
    sortedHeaders = h => h.#sorted();
    lockHeaders = h => { h.#locked = true; };
  }

  constructor(init) {
    this.#list = [];
    if (init === undefined) return;
    if (init === null || (typeof init !== "object" && typeof init !== "function")) throw new TypeError("Headers need an object, an array of pairs, or Headers");
    const iterate = init[Symbol.iterator];
    if (#list in init && iterate === entriesOfHeaders) this.#list = init.#fields().slice();
    else for (const [name, value] of iterate === undefined || iterate === null ? recordOf(init, byteString) : pairsOfSequence(init, iterate)) this.append(name, value);
  }

  #fields() {
    if (this.#list === null) {
      this.#list = host(opHeaders).split("\0");
      this.#list.pop();
    }
    return this.#list;
  }

  #change() {
    if (this.#locked) throw new TypeError("Can't modify immutable headers.");
    return this.#fields();
  }

  append(name, value) {
    needs(2, arguments);
    name = headerName(name);
    value = headerValue(value);
    this.#change().push(name, value);
  }

  set(name, value) {
    needs(2, arguments);
    name = headerName(name);
    value = headerValue(value);
    const list = this.#change();
    const at = find(list, name, 0);
    if (at < 0) return void list.push(name, value);
    list[at + 1] = value;
    remove(list, name, at + 2);
  }

  delete(name) {
    needs(1, arguments);
    name = headerName(name);
    remove(this.#change(), name, 0);
  }

  get(name) {
    needs(1, arguments);
    name = headerName(name);
    if (this.#list === null) return host(opHeader, 0, name);
    const list = this.#list;
    let at = find(list, name, 0);
    if (at < 0) return null;
    let value = list[at + 1];
    while ((at = find(list, name, at + 2)) >= 0) value += ", " + list[at + 1];
    return value;
  }

  getAll(name) {
    if (headerName(name) !== "set-cookie") throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
    return this.getSetCookie();
  }

  getSetCookie() {
    const list = this.#fields(), out = [];
    for (let at = 0; (at = find(list, "set-cookie", at)) >= 0; at += 2) out.push(list[at + 1]);
    return out;
  }

  has(name) {
    needs(1, arguments);
    name = headerName(name);
    return find(this.#fields(), name, 0) >= 0;
  }

  #sorted() {
    const list = this.#fields();
    const names = [...new Set(list.filter((_, i) => i % 2 === 0))].sort();
    return names.flatMap(name => name === "set-cookie" ? this.getSetCookie().map(v => [name, v]) : [[name, this.get(name)]]);
  }
}
iterable(Headers, h => sortedHeaders(h));
const entriesOfHeaders = Headers.prototype.entries;

// https://webidl.spec.whatwg.org/#js-to-ByteString
function byteString(v) {
  v = String(v);
  if (/[^\0-\xff]/.test(v)) throw new TypeError("A character is none of Latin-1");
  return v;
}

// recordOf converts an object to pairs: https://webidl.spec.whatwg.org/#js-to-record
function recordOf(init, convert) {
  const record = new Map();
  for (const name of Reflect.ownKeys(init)) {
    if (!Reflect.getOwnPropertyDescriptor(init, name)?.enumerable) continue;
    if (typeof name === "symbol") throw new TypeError("A symbol is no name");
    const key = convert(name);
    record.set(key, convert(init[name]));
  }
  return [...record];
}

// pairsOfSequence reads a sequence of pairs by its own iterator.
function pairsOfSequence(init, iterate) {
  const pairs = [];
  for (const pair of { [Symbol.iterator]: () => Reflect.apply(iterate, init, []) }) {
    if (pair === null || typeof pair !== "object" && typeof pair !== "function") throw new TypeError("Each item must be a pair of name and value");
    const p = [...pair];
    if (p.length !== 2) throw new TypeError("Each item must be a pair of name and value");
    pairs.push(p);
  }
  return pairs;
}

function find(list, name, from) {
  for (let i = from; i < list.length; i += 2) if (list[i] === name) return i;
  return -1;
}

function remove(list, name, from) {
  for (let at = from; (at = find(list, name, at)) >= 0;) list.splice(at, 2);
}
