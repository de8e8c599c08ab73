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

let headersBlock, headersFrom, lockHeaders, headersList;

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
    lockHeaders = h => { h.#locked = true; };
  }

  constructor(init) {
    this.#list = [];
    if (init === undefined) return;
    if (init === null || (typeof init !== "object" && typeof init !== "function")) throw new TypeError("Headers need an object, an array of pairs, or Headers");
    if (init instanceof Headers) this.#list = init.#fields().slice();
    else if (typeof init[Symbol.iterator] === "function") {
      for (const pair of init) {
        const p = [...pair];
        if (p.length !== 2) throw new TypeError("Each header must be a pair of name and value");
        this.append(p[0], p[1]);
      }
    } else for (const name of Reflect.ownKeys(init)) {
      if (Reflect.getOwnPropertyDescriptor(init, name)?.enumerable) this.append(name, init[name]);
    }
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
    name = headerName(name);
    value = headerValue(value);
    this.#change().push(name, value);
  }

  set(name, value) {
    name = headerName(name);
    value = headerValue(value);
    const list = this.#change();
    const at = find(list, name, 0);
    if (at < 0) return void list.push(name, value);
    list[at + 1] = value;
    remove(list, name, at + 2);
  }

  delete(name) {
    name = headerName(name);
    remove(this.#change(), name, 0);
  }

  get(name) {
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
    name = headerName(name);
    return find(this.#fields(), name, 0) >= 0;
  }

  forEach(callback, self) {
    if (typeof callback !== "function") throw new TypeError("forEach needs a function");
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  *entries() {
    // By index, since headers may change meanwhile.
    for (let i = 0; ; i++) {
      const sorted = this.#sorted();
      if (i >= sorted.length) return;
      yield sorted[i];
    }
  }
  *keys() { for (const [name] of this.entries()) yield name; }
  *values() { for (const [, value] of this.entries()) yield value; }

  #sorted() {
    const list = this.#fields();
    const names = [...new Set(list.filter((_, i) => i % 2 === 0))].sort();
    return names.flatMap(name => name === "set-cookie" ? this.getSetCookie().map(v => [name, v]) : [[name, this.get(name)]]);
  }
}
define(Headers.prototype, Symbol.iterator, Headers.prototype.entries);

function find(list, name, from) {
  for (let i = from; i < list.length; i += 2) if (list[i] === name) return i;
  return -1;
}

function remove(list, name, from) {
  for (let at = from; (at = find(list, name, at)) >= 0;) list.splice(at, 2);
}
