// https://developers.cloudflare.com/workers/runtime-apis/html-rewriter/. The host
// finds what handlers are for (package rewrite); everything else passes as it is.

const escapeHTML = text => text.replace(/[&<>]/g, c => c === "&" ? "&amp;" : c === "<" ? "&lt;" : "&gt;");
const contentOf = (content, options) => options?.html ? String(content) : escapeHTML(String(content));

// Token is what handlers get. It is of use only as long as they run.
class Token {
  #valid = true; #before = []; #after = []; #replacement = null; #removed = false;
  static state; static expire; static use;
  static {
    Token.state = t => ({ before: t.#before.join(""), after: t.#after.join(""), replacement: t.#replacement, removed: t.#removed });
    Token.expire = t => { t.#valid = false; };
    Token.use = t => {
      if (!t.#valid) throw new TypeError("This content token is no longer valid. Content tokens are only valid during the execution of the relevant content handler.");
    };
  }
  constructor(token) { if (token !== internal) throw new TypeError("Illegal constructor"); }
  get removed() { return this.#removed; }
  before(content, options) { useToken(this); this.#before.push(contentOf(content, options)); return this; }
  after(content, options) { useToken(this); this.#after.unshift(contentOf(content, options)); return this; }
  replace(content, options) {
    useToken(this);
    this.#replacement = contentOf(content, options);
    this.#removed = true;
    return this;
  }
  remove() { useToken(this); this.#removed = true; return this; }
}
const { state: tokenState, expire: expireToken, use: useToken } = Token;

class HTMLElementToken extends Token {
  #event; #name = null; #attributes; #prepended = []; #appended = []; #inner = null; #unwrapped = false; #ends = [];
  static state;
  static {
    HTMLElementToken.state = e => ({
      name: e.#name, attributes: e.#attributes, prepended: e.#prepended.join(""), appended: e.#appended.join(""), inner: e.#inner, unwrapped: e.#unwrapped, ends: e.#ends,
    });
  }
  constructor(event) {
    super(internal);
    this.#event = event;
  }
  #list() { return this.#event.attributes ??= []; }
  #find(name) {
    useToken(this);
    name = String(name).toLowerCase();
    return this.#list().findIndex((v, i) => i % 2 === 0 && v === name);
  }
  get tagName() { useToken(this); return this.#name ?? this.#event.name; }
  set tagName(name) {
    useToken(this);
    name = String(name);
    if (!/^[A-Za-z][^\s/>]*$/.test(name)) throw new TypeError(`Parser error: ${JSON.stringify(name)} can't be the name of a tag`);
    this.#name = name;
  }
  get namespaceURI() { return this.#event.foreign ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml"; }
  get attributes() {
    useToken(this);
    const list = this.#list(), pairs = [];
    for (let i = 0; i < list.length; i += 2) pairs.push([list[i], list[i + 1]]);
    return pairs.values();
  }
  getAttribute(name) { const at = this.#find(name); return at < 0 ? null : this.#list()[at + 1]; }
  hasAttribute(name) { return this.#find(name) >= 0; }
  setAttribute(name, value) {
    const at = this.#find(name);
    name = String(name);
    if (!/^[^\s"'>/=\0]+$/.test(name)) throw new TypeError(`Parser error: ${JSON.stringify(name)} can't be the name of an attribute`);
    value = String(value);
    if (at < 0) this.#list().push(name.toLowerCase(), value);
    else this.#list()[at + 1] = value;
    this.#attributes = this.#list();
    return this;
  }
  removeAttribute(name) {
    const at = this.#find(name);
    if (at >= 0) {
      this.#list().splice(at, 2);
      this.#attributes = this.#list();
    }
    return this;
  }
  prepend(content, options) { useToken(this); this.#prepended.unshift(contentOf(content, options)); return this; }
  append(content, options) { useToken(this); this.#appended.push(contentOf(content, options)); return this; }
  setInnerContent(content, options) {
    useToken(this);
    this.#prepended = [];
    this.#appended = [];
    this.#inner = contentOf(content, options);
    return this;
  }
  removeAndKeepContent() { useToken(this); this.#unwrapped = true; return this; }
  onEndTag(callback) {
    useToken(this);
    if (!this.#event.content) throw new TypeError("Parser error: No end tag.");
    this.#ends.push(callback);
  }
}
const elementState = HTMLElementToken.state;

class EndTagToken extends Token {
  #name; #changed = false;
  constructor(name) { super(internal); this.#name = name; }
  get name() { return this.#name; }
  set name(v) { useToken(this); this.#name = String(v); this.#changed = true; }
  get changed() { return this.#changed; }
}

class TextToken extends Token {
  #text;
  constructor(text) { super(internal); this.#text = text; }
  get text() { return this.#text; }
  get lastInTextNode() { return true; }
}

class CommentToken extends Token {
  #text; #changed = false;
  static changed;
  static { CommentToken.changed = c => c.#changed; }
  constructor(text) { super(internal); this.#text = text; }
  get text() { return this.#text; }
  set text(v) {
    useToken(this);
    v = String(v);
    if (v.includes("-->")) throw new TypeError("Parser error: A comment can't have --> in it");
    this.#text = v;
    this.#changed = true;
  }
}
const commentChanged = CommentToken.changed;

class DocumentEnd {
  #out;
  constructor(out) { this.#out = out; }
  append(content, options) { this.#out(contentOf(content, options)); return this; }
}

for (const c of [Token, HTMLElementToken, CommentToken]) for (const name of ["state", "expire", "use", "changed"]) delete c[name];

const rewriterChunk = 65536;

// Rewriting is one document on its way.
class Rewriting {
  #handle = null; #handlers; #reader; #out = []; #muted = 0; #open = [];

  constructor(handlers, stream) {
    this.#handlers = handlers;
    this.#reader = stream.getReader();
  }

  // pull gives what there is as soon as input is needed.
  async pull(controller) {
    try {
      this.#handle ??= ask(opRewriter, 0, JSON.stringify(this.#handlers.map(({ selector, on }) => ({
        selector, Element: Boolean(selector === undefined ? on.doctype : on.element), Comments: Boolean(on.comments), Text: Boolean(on.text),
      }))));
      for (let size = 0; ;) {
        const next = ask(opRewriterNext, this.#handle);
        if (next instanceof Uint8Array) this.#give(next);
        else if (typeof next === "string") await this.#event(JSON.parse(next));
        else {
          if (next === null) await this.#end();
          const bytes = join(this.#out.splice(0));
          if (bytes.length > 0) controller.enqueue(bytes);
          if (next === null) return controller.close();
          if (bytes.length > 0) return;
          await this.#feed();
          continue;
        }
        size += next.length;
        if (size < rewriterChunk) continue;
        const bytes = join(this.#out.splice(0));
        if (bytes.length > 0) return controller.enqueue(bytes);
        size = 0;
      }
    } catch (e) {
      this.#shut();
      this.#reader.cancel(e).catch(() => {});
      throw e;
    }
  }

  cancel(reason) {
    this.#shut();
    return this.#reader.cancel(reason);
  }

  #rest = null;
  async #feed() {
    if (this.#rest === null || this.#rest.length === 0) {
      const { value, done } = await this.#reader.read();
      if (done) return ask(opRewriterEnd, this.#handle);
      this.#rest = typeof value === "string" ? utf8(value) : bytesOf(value);
      if (!this.#rest) throw new TypeError("HTMLRewriter takes bytes");
    }
    ask(opRewriterWrite, this.#handle, undefined, this.#rest.subarray(0, rewriterChunk));
    this.#rest = this.#rest.subarray(rewriterChunk);
  }

  #shut() {
    if (this.#handle !== null) ask(opClose, this.#handle);
    this.#handle = null;
  }

  #give(bytes) { if (this.#muted === 0) this.#out.push(bytes); }
  #text(text) { if (text && this.#muted === 0) this.#out.push(utf8(text)); }
  #raw() { if (this.#muted === 0) this.#out.push(ask(opRewriterRaw, this.#handle)); }

  async #event(e) {
    switch (e.kind) {
      case "start": return this.#start(e);
      case "end": return this.#close(e);
      case "text": return this.#simple(new TextToken(e.text ?? ""), e, "text");
      case "comment": return this.#simple(new CommentToken(e.text ?? ""), e, "comments");
      case "doctype": {
        const doctype = { name: e.name || null, publicId: e.publicId || null, systemId: e.systemId || null };
        for (const i of e.handlers) await this.#handlers[i].on.doctype(doctype);
        this.#raw();
      }
    }
  }

  async #simple(token, e, method) {
    for (const i of e.handlers) await this.#handlers[i].on[method](token);
    expireToken(token);
    const { before, after, replacement, removed } = tokenState(token);
    this.#text(before);
    if (replacement !== null) this.#text(replacement);
    else if (!removed) {
      if (token instanceof CommentToken && commentChanged(token)) this.#text(`<!--${token.text}-->`);
      else this.#raw();
    }
    this.#text(after);
  }

  async #start(e) {
    const element = new HTMLElementToken(e);
    for (const i of e.handlers) await this.#handlers[i].on.element(element);
    expireToken(element);
    const token = tokenState(element), s = elementState(element);
    this.#text(token.before);
    if (token.replacement !== null) this.#text(token.replacement);
    else if (!token.removed && !s.unwrapped) {
      if (s.name !== null || s.attributes) this.#text(startTag(s.name ?? e.name, e));
      else this.#raw();
    }
    if (!e.content) return this.#text(token.after);
    this.#text(token.removed ? "" : s.prepended + (s.inner ?? ""));
    const mute = token.removed || s.inner !== null;
    if (mute) this.#muted++;
    this.#open.push({ token, s, mute });
  }

  async #close(e) {
    const { token, s, mute } = this.#open.pop();
    if (mute) this.#muted--;
    if (!token.removed) this.#text(s.appended);
    const end = new EndTagToken(s.name ?? e.name);
    if (!e.implied) for (const callback of s.ends) await callback(end);
    expireToken(end);
    const own = tokenState(end);
    this.#text(own.before);
    if (own.replacement !== null) this.#text(own.replacement);
    else if (!token.removed && !s.unwrapped && !own.removed && !e.implied) {
      if (s.name !== null || end.changed) this.#text(`</${end.name}>`);
      else this.#raw();
    }
    this.#text(own.after + token.after);
  }

  async #end() {
    const end = new DocumentEnd(text => this.#text(text));
    for (const { selector, on } of this.#handlers) if (selector === undefined && on.end) await on.end(end);
    this.#shut();
  }
}

// startTag writes a tag that was changed. Values are as in the source, so that only
// quotes need to be escaped.
function startTag(name, e) {
  let tag = "<" + name;
  const list = e.attributes ?? [];
  for (let i = 0; i < list.length; i += 2) tag += ` ${list[i]}="${list[i + 1].replaceAll('"', "&quot;")}"`;
  return tag + (e.slash ? " />" : ">");
}

class HTMLRewriter {
  #handlers = [];

  on(selector, handlers) {
    ask(opSelector, 0, String(selector));
    this.#handlers.push({ selector: String(selector), on: bound(handlers, ["element", "comments", "text"]) });
    return this;
  }

  onDocument(handlers) {
    this.#handlers.push({ selector: undefined, on: bound(handlers, ["doctype", "comments", "text", "end"]) });
    return this;
  }

  transform(response) {
    if (!(response instanceof Response)) throw new TypeError("HTMLRewriter transforms a Response");
    if (response.body === null) return response;
    const rewriting = new Rewriting(this.#handlers.slice(), response.body);
    const stream = new ReadableStream({ type: "bytes", pull: c => rewriting.pull(c), cancel: reason => rewriting.cancel(reason) }, { highWaterMark: 0 });
    const out = new Response(stream, response);
    out.headers.delete("content-length");
    return out;
  }
}

// bound are the functions of a handler; they may be methods that use this.
function bound(handlers, names) {
  const on = {};
  for (const name of names) if (typeof handlers?.[name] === "function") on[name] = handlers[name].bind(handlers);
  return on;
}
tag(HTMLRewriter);
define(globalThis, "HTMLRewriter", HTMLRewriter);
