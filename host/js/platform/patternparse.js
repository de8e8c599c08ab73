// How patterns of URLs are read and written:
// https://urlpattern.spec.whatwg.org/#pattern-strings

const nameStart = /[$_\p{ID_Start}]/u, nameRest = /[$_\u200c\u200d\p{ID_Continue}]/u;
const isASCII = /^[\0-\x7f]$/;

// tokensOf splits a pattern. Leniently, what can't be a token is one of its own kind.
function tokensOf(input, lenient) {
  const points = [...input], tokens = [];
  let offset = 0; // in UTF-16, of what comes next
  const add = (type, from, to, value) => {
    tokens.push({ type, index: offset, value });
    for (let i = from; i < to; i++) offset += points[i].length;
    return to;
  };
  const invalid = (from, to, message) => {
    if (!lenient) throw new TypeError(message);
    return add("invalid", from, to, points.slice(from, to).join(""));
  };
  for (let i = 0; i < points.length;) {
    const c = points[i];
    if (c === "*") i = add("asterisk", i, i + 1, c);
    else if (c === "+" || c === "?") i = add("modifier", i, i + 1, c);
    else if (c === "{") i = add("open", i, i + 1, c);
    else if (c === "}") i = add("close", i, i + 1, c);
    else if (c === "\\") {
      if (i === points.length - 1) i = invalid(i, i + 1, "A pattern can't end with a backslash");
      else i = add("escaped", i, i + 2, points[i + 1]);
    } else if (c === ":") {
      let end = i + 1;
      while (end < points.length && (end === i + 1 ? nameStart : nameRest).test(points[end])) end++;
      i = end === i + 1 ? invalid(i, end, "A colon must be followed by a name") : add("name", i, end, points.slice(i + 1, end).join(""));
    } else if (c === "(") {
      const end = regexpEnd(points, i);
      i = end < 0 ? invalid(i, i + 1, "The regular expression in the pattern is not valid") : add("regexp", i, end, points.slice(i + 1, end - 1).join(""));
    } else i = add("char", i, i + 1, c);
  }
  add("end", points.length, points.length, "");
  return tokens;
}

// regexpEnd is where a regular expression ends that begins at a parenthesis, or -1.
function regexpEnd(points, start) {
  let depth = 1;
  for (let i = start + 1; i < points.length; i++) {
    const c = points[i];
    if (!isASCII.test(c) || i === start + 1 && c === "?") return -1;
    if (c === "\\") {
      if (++i === points.length || !isASCII.test(points[i])) return -1;
    } else if (c === ")") {
      if (--depth === 0) return i === start + 1 ? -1 : i + 1;
    } else if (c === "(") {
      depth++;
      if (points[i + 1] !== "?") return -1;
    }
  }
  return -1;
}

const escapeRegExp = text => text.replace(/[.+*?^${}()[\]|/\\]/g, "\\$&");
const escapePattern = text => text.replace(/[+*?:{}()\\]/g, "\\$&");
const segmentOf = options => `[^${escapeRegExp(options.delimiter)}]+?`;
const anything = ".*";

// PatternParser makes the parts of a pattern. What is fixed in it goes through encode.
class PatternParser {
  parts = []; #tokens; #at = 0; #fixed = ""; #next = 0; #encode; #options;

  constructor(input, options, encode) {
    this.#tokens = tokensOf(input, false);
    this.#options = options;
    this.#encode = encode;
    while (this.#at < this.#tokens.length) this.#step();
  }

  #take(...types) { return types.includes(this.#tokens[this.#at].type) ? this.#tokens[this.#at++] : null; }
  #matcher(name) { return this.#take("regexp") ?? (name ? null : this.#take("asterisk")); }
  #modifier() { return this.#take("modifier", "asterisk")?.value ?? ""; }

  #must(type) {
    const token = this.#take(type);
    if (!token) throw new TypeError(`The pattern has ${JSON.stringify(this.#tokens[this.#at].value)} where that can't be`);
    return token;
  }

  #step() {
    const char = this.#take("char"), name = this.#take("name"), matcher = this.#matcher(name);
    if (name || matcher) {
      let prefix = char?.value ?? "";
      if (prefix !== "" && prefix !== this.#options.prefix) {
        this.#fixed += prefix;
        prefix = "";
      }
      this.#flush();
      return this.#add(prefix, name, matcher, "", this.#modifier());
    }
    const fixed = char ?? this.#take("escaped");
    if (fixed) return void (this.#fixed += fixed.value);
    if (this.#take("open")) {
      const prefix = this.#text(), inner = this.#take("name"), re = this.#matcher(inner), suffix = this.#text();
      this.#must("close");
      return this.#add(prefix, inner, re, suffix, this.#modifier());
    }
    this.#flush();
    this.#must("end");
  }

  #text() {
    let text = "";
    for (let token; (token = this.#take("char", "escaped"));) text += token.value;
    return text;
  }

  #flush() {
    if (this.#fixed === "") return;
    this.parts.push({ type: "fixed", value: this.#encode(this.#fixed), modifier: "", name: "", prefix: "", suffix: "" });
    this.#fixed = "";
  }

  #add(prefix, name, matcher, suffix, modifier) {
    if (!name && !matcher && modifier === "") return void (this.#fixed += prefix);
    this.#flush();
    if (!name && !matcher) {
      if (prefix !== "") this.parts.push({ type: "fixed", value: this.#encode(prefix), modifier, name: "", prefix: "", suffix: "" });
      return;
    }
    const segment = segmentOf(this.#options);
    let type = "regexp", value = !matcher ? segment : matcher.type === "asterisk" ? anything : matcher.value;
    if (value === segment) type = "segment";
    else if (value === anything) type = "full";
    if (type !== "regexp") value = "";
    const called = name ? name.value : String(this.#next++);
    if (this.parts.some(p => p.name === called)) throw new TypeError(`The pattern has two groups of the name "${called}"`);
    this.parts.push({ type, value, modifier, name: called, prefix: this.#encode(prefix), suffix: this.#encode(suffix) });
  }
}

// regexpOf is the source of a regular expression for parts, and the names of its groups.
function regexpOf(parts, options) {
  let source = "^";
  const names = [];
  for (const p of parts) {
    if (p.type === "fixed") {
      source += p.modifier === "" ? escapeRegExp(p.value) : `(?:${escapeRegExp(p.value)})${p.modifier}`;
      continue;
    }
    names.push(p.name);
    const value = p.type === "segment" ? segmentOf(options) : p.type === "full" ? anything : p.value;
    const once = p.modifier === "" || p.modifier === "?", prefix = escapeRegExp(p.prefix), suffix = escapeRegExp(p.suffix);
    if (prefix === "" && suffix === "") source += once ? `(${value})${p.modifier}` : `((?:${value})${p.modifier})`;
    else if (once) source += `(?:${prefix}(${value})${suffix})${p.modifier}`;
    else source += `(?:${prefix}((?:${value})(?:${suffix}${prefix}(?:${value}))*)${suffix})${p.modifier === "*" ? "?" : ""}`;
  }
  return { source: source + "$", names };
}

const firstOf = text => [...text][0] ?? "";
const isNumbered = p => /^[0-9]/.test(p.name);

// patternOf writes parts as a pattern.
function patternOf(parts, options) {
  let out = "";
  parts.forEach((p, i) => {
    if (p.type === "fixed") {
      out += p.modifier === "" ? escapePattern(p.value) : `{${escapePattern(p.value)}}${p.modifier}`;
      return;
    }
    const last = parts[i - 1], next = parts[i + 1], named = !isNumbered(p);
    const grouped = isGrouped(p, last, next, named, options);
    if (grouped) out += "{";
    out += escapePattern(p.prefix);
    if (named) out += ":" + p.name;
    if (p.type === "regexp") out += `(${p.value})`;
    else if (p.type === "segment" && !named) out += `(${segmentOf(options)})`;
    else if (p.type === "full") {
      const short = !named && (!last || last.type === "fixed" || last.modifier !== "" || grouped || p.prefix !== "");
      out += short ? "*" : `(${anything})`;
    }
    if (p.type === "segment" && named && p.suffix !== "" && nameRest.test(firstOf(p.suffix))) out += "\\";
    out += escapePattern(p.suffix);
    if (grouped) out += "}";
    out += p.modifier;
  });
  return out;
}

// isGrouped says whether a part needs braces, so that it is read as what it is.
function isGrouped(p, last, next, named, options) {
  if (p.suffix !== "" || p.prefix !== "" && p.prefix !== options.prefix) return true;
  if (named && p.type === "segment" && p.modifier === "" && next && next.prefix === "" && next.suffix === "") {
    if (next.type === "fixed" ? nameRest.test(firstOf(next.value)) : isNumbered(next)) return true;
  }
  return p.prefix === "" && last?.type === "fixed" && options.prefix !== "" && last.value.endsWith(options.prefix);
}
