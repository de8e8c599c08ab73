// https://urlpattern.spec.whatwg.org/

const patternParts = ["protocol", "username", "password", "hostname", "port", "pathname", "search", "hash"];
const defaultPorts = { http: "80", https: "443", ws: "80", wss: "443", ftp: "21", file: "" };
const plainOptions = { delimiter: "", prefix: "" }, hostOptions = { delimiter: ".", prefix: "" }, pathOptions = { delimiter: "/", prefix: "/" };

// How each part of a URL is written canonically.
const canonical = {
  protocol(v) { return v === "" ? v : new URL(`${v}://dummy.invalid/`).protocol.slice(0, -1); },
  username: v => setOn("https://dummy.invalid/", "username", v),
  password: v => setOn("https://dummy.invalid/", "password", v),
  hostname(v, scheme = "https") {
    v = v.replace(/[\t\n\r]/g, "").split(/[/?#\\]/)[0]; // where a host ends
    if (v === "") return v;
    if (v.startsWith("[") ? !/^\[[^\]]*\]$/.test(v) : /[\0 :<>@[\]^|]/.test(v)) throw new TypeError(`The hostname ${JSON.stringify(v)} is not valid`);
    return new URL(`${scheme in defaultPorts && scheme !== "file" ? "https" : "foo"}://${v}/`).hostname;
  },
  hostnameIPv6(v) {
    if (!/^[0-9a-fA-F[\]:]*$/.test(v)) throw new TypeError(`The address ${JSON.stringify(v)} is not valid`);
    return v.toLowerCase();
  },
  port(v, scheme) {
    if (v === "") return v;
    const digits = /^[0-9]+/.exec(v.replace(/[\t\n\r]/g, ""))?.[0];
    if (digits === undefined || Number(digits) > 65535) throw new TypeError(`The port ${JSON.stringify(v)} is not valid`);
    const port = String(Number(digits));
    return defaultPorts[scheme] === port ? "" : port;
  },
  pathname(v) {
    if (v === "") return v;
    if (v.startsWith("/")) return setOn("https://dummy.invalid/", "pathname", v);
    return setOn("https://dummy.invalid/", "pathname", "/-" + v).slice(2);
  },
  opaque: v => v === "" ? v : new URL("data:" + v).pathname,
  search: v => v === "" ? v : setOn("https://dummy.invalid/", "search", "?" + v).slice(1),
  hash: v => v === "" ? v : setOn("https://dummy.invalid/", "hash", "#" + v).slice(1),
};

function setOn(url, part, value) {
  const u = new URL(url);
  u[part] = value;
  return u[part];
}

// ConstructorParser finds the parts in the pattern of a whole URL.
class ConstructorParser {
  result = {}; #input; #tokens; #start = 0; #at = 0; #step = 1; #depth = 0; #brackets = 0; #special = false; #state = "init";

  constructor(input) {
    this.#input = input;
    this.#tokens = tokensOf(input, true);
    while (this.#at < this.#tokens.length && this.#state !== "done") {
      this.#step = 1;
      this.#next();
      this.#at += this.#step;
    }
    if (this.result.hostname !== undefined && this.result.port === undefined) this.result.port = "";
  }

  #next() {
    const { type } = this.#tokens[this.#at];
    if (type === "end") return this.#end();
    if (type === "open") return void this.#depth++;
    if (this.#depth > 0) {
      if (type !== "close") return;
      this.#depth--;
    }
    this[this.#state]?.();
  }

  #end() {
    if (this.#state === "init") {
      this.#rewind();
      if (this.#is("#")) this.#change("hash", 1);
      else if (this.#isSearch()) this.#change("search", 1);
      else this.#change("pathname", 0);
    } else if (this.#state === "authority") this.#rewind("hostname");
    else this.#change("done", 0);
  }

  init() { if (this.#is(":")) this.#rewind("protocol"); }
  protocol() {
    if (!this.#is(":")) return;
    this.#special = matchesSpecial(new PatternPart(this.#text(), "protocol", plainOptions));
    if (this.#is("/", 1) && this.#is("/", 2)) this.#change("authority", 3);
    else this.#change(this.#special ? "authority" : "pathname", 1);
  }
  authority() {
    if (this.#is("@")) this.#rewind("username");
    else if (this.#is("/") || this.#isSearch() || this.#is("#")) this.#rewind("hostname");
  }
  username() {
    if (this.#is(":")) this.#change("password", 1);
    else if (this.#is("@")) this.#change("hostname", 1);
  }
  password() { if (this.#is("@")) this.#change("hostname", 1); }
  hostname() {
    if (this.#is("[")) this.#brackets++;
    else if (this.#is("]")) this.#brackets--;
    else if (this.#is(":") && this.#brackets === 0) this.#change("port", 1);
    else this.port();
  }
  port() {
    if (this.#is("/")) this.#change("pathname", 0);
    else this.pathname();
  }
  pathname() {
    if (this.#isSearch()) this.#change("search", 1);
    else this.search();
  }
  search() { if (this.#is("#")) this.#change("hash", 1); }

  #token(i) { return this.#tokens[Math.min(i, this.#tokens.length - 1)]; }
  #is(value, ahead = 0) {
    const token = this.#token(this.#at + ahead);
    return token.value === value && ["char", "escaped", "invalid"].includes(token.type);
  }
  #isSearch() {
    if (this.#is("?")) return true;
    if (this.#tokens[this.#at].value !== "?" || this.#tokens[this.#at].type !== "modifier") return false;
    return this.#at === 0 || !["name", "regexp", "close", "asterisk"].includes(this.#tokens[this.#at - 1].type);
  }
  #text() { return this.#input.slice(this.#token(this.#start).index, this.#tokens[this.#at].index); }

  #rewind(state = this.#state) {
    this.#at = this.#start;
    this.#step = 0;
    this.#state = state;
  }

  #change(state, skip) {
    const from = this.#state, r = this.result;
    if (!["init", "authority", "done"].includes(from)) r[from] = this.#text();
    if (from !== "init" && state !== "done") {
      const before = patternParts.indexOf(from === "authority" ? "username" : from), after = patternParts.indexOf(state);
      if (before < 3 && after > 3) r.hostname ??= "";
      if (before < 5 && after > 5) r.pathname ??= this.#special ? "/" : "";
      if (before < 6 && after > 6) r.search ??= "";
    }
    this.#state = state;
    this.#at += skip;
    this.#start = this.#at;
    this.#step = 0;
  }
}

class PatternPart {
  constructor(input, kind, options, ignoreCase = false) {
    const { parts } = new PatternParser(input, options, canonical[kind]);
    const { source, names } = regexpOf(parts, options);
    try {
      this.regexp = new RegExp(source, ignoreCase ? "vi" : "v");
    } catch (e) {
      throw new TypeError(`The regular expression of the pattern is not valid: ${e.message}`);
    }
    this.names = names;
    this.text = patternOf(parts, options);
    this.custom = parts.some(p => p.type === "regexp");
  }

  exec(input) {
    const found = this.regexp.exec(input);
    if (!found) return null;
    const groups = {};
    this.names.forEach((name, i) => { groups[name] = found[i + 1]; });
    return { input, groups };
  }
}

const matchesSpecial = part => Object.keys(defaultPorts).some(scheme => part.regexp.test(scheme));

// initOf completes what a user gave of a URL, or of a pattern, by its base.
function initOf(given, pattern) {
  const init = {}, result = pattern ? {} : Object.fromEntries(patternParts.map(name => [name, ""]));
  for (const name of [...patternParts, "baseURL"]) if (given[name] !== undefined) init[name] = String(given[name]);
  const base = init.baseURL === undefined ? null : new URL(init.baseURL);
  const fromBase = text => pattern ? escapePattern(text) : text;
  if (base) inherit(result, init, base, pattern, fromBase);
  const is = (name, strip, ...more) => {
    if (init[name] !== undefined) result[name] = pattern ? strip(init[name]) : canonical[name](strip(init[name]), ...more);
  };
  const same = v => v;
  is("protocol", v => v.replace(/:$/, ""));
  is("username", same);
  is("password", same);
  is("hostname", same, result.protocol || undefined);
  is("port", same, result.protocol);
  if (init.pathname !== undefined) {
    let path = init.pathname;
    if (base && base.pathname.startsWith("/") && !isAbsolute(path, pattern)) {
      const own = fromBase(base.pathname);
      path = own.slice(0, own.lastIndexOf("/") + 1) + path;
    }
    const plain = !result.protocol || result.protocol in defaultPorts;
    result.pathname = pattern ? path : canonical[plain ? "pathname" : "opaque"](path);
  }
  is("search", v => v.replace(/^\?/, ""));
  is("hash", v => v.replace(/^#/, ""));
  return result;
}

// inherit takes from the base what comes before the first part that is given.
function inherit(result, init, base, pattern, fromBase) {
  const absent = (...names) => names.every(name => init[name] === undefined);
  if (absent("protocol")) result.protocol = fromBase(base.protocol.slice(0, -1));
  if (!pattern && absent("protocol", "hostname", "port", "username")) result.username = base.username;
  if (!pattern && absent("protocol", "hostname", "port", "username", "password")) result.password = base.password;
  const order = ["protocol", "hostname"];
  if (absent(...order)) result.hostname = fromBase(base.hostname);
  for (const [name, value] of [["port", base.port], ["pathname", base.pathname], ["search", base.search.slice(1)], ["hash", base.hash.slice(1)]]) {
    order.push(name);
    if (absent(...order)) result[name] = fromBase(value);
  }
}

const isAbsolute = (path, pattern) => path.startsWith("/") || pattern && (path.startsWith("\\/") || path.startsWith("{/"));

class URLPattern {
  #parts = {};

  constructor(input = {}, base, options) {
    if (typeof base === "object" && base !== null && options === undefined) [base, options] = [undefined, base];
    let init = input;
    if (typeof input !== "object" || input === null || input instanceof URL) {
      init = new ConstructorParser(String(input)).result;
      if (base === undefined && init.protocol === undefined) throw new TypeError("A pattern that is a string needs a protocol or a base URL");
      if (base !== undefined) init.baseURL = String(base);
    } else if (base !== undefined) throw new TypeError("A pattern that is an object has its base URL in baseURL");
    const p = initOf(init, true), ignoreCase = Boolean(options?.ignoreCase);
    for (const name of patternParts) p[name] ??= "*";
    if (p.protocol in defaultPorts && p.port === defaultPorts[p.protocol]) p.port = "";
    const add = (name, kind, ...more) => { this.#parts[name] = new PatternPart(p[name], kind, ...more); };
    add("protocol", "protocol", plainOptions);
    const special = matchesSpecial(this.#parts.protocol);
    add("username", "username", plainOptions);
    add("password", "password", plainOptions);
    if (/^(\[|[{\\]\[)/.test(p.hostname)) add("hostname", "hostnameIPv6", hostOptions);
    else add("hostname", "hostname", hostOptions);
    add("port", "port", plainOptions);
    if (special) add("pathname", "pathname", pathOptions, ignoreCase);
    else add("pathname", "opaque", plainOptions, ignoreCase);
    add("search", "search", plainOptions, ignoreCase);
    add("hash", "hash", plainOptions, ignoreCase);
  }

  test(input, base) { return this.#match(input, base) !== null; }
  exec(input, base) { return this.#match(input, base); }

  #match(input = {}, base) {
    const inputs = [input];
    let values;
    if (typeof input === "object" && input !== null && !(input instanceof URL)) {
      if (base !== undefined) throw new TypeError("An input that is an object has its base URL in baseURL");
      try {
        values = initOf(input, false);
      } catch {
        return null;
      }
    } else {
      if (base !== undefined) inputs.push(String(base));
      const url = URL.parse(String(input), base);
      if (url === null) return null;
      values = Object.fromEntries(patternParts.map(name => [name, url[name]]));
      values.protocol = values.protocol.slice(0, -1);
      values.search = values.search.slice(1);
      values.hash = values.hash.slice(1);
    }
    const result = { inputs };
    for (const name of patternParts) {
      const found = this.#parts[name].exec(values[name]);
      if (found === null) return null;
      result[name] = found;
    }
    return result;
  }

  get protocol() { return this.#parts.protocol.text; }
  get username() { return this.#parts.username.text; }
  get password() { return this.#parts.password.text; }
  get hostname() { return this.#parts.hostname.text; }
  get port() { return this.#parts.port.text; }
  get pathname() { return this.#parts.pathname.text; }
  get search() { return this.#parts.search.text; }
  get hash() { return this.#parts.hash.text; }
  get hasRegExpGroups() { return Object.values(this.#parts).some(p => p.custom); }
}
tag(URLPattern);
define(globalThis, "URLPattern", URLPattern);
