// https://dom.spec.whatwg.org/#events and #aborting-ongoing-activities, as far as
// there is no tree.

let dispatchTo, isTrusted, trusted;

class Event {
  #type; #init; #target = null; #current = null; #canceled = false; #stopped = false; #dispatching = false;
  #passive = false; #quiet = false; #trusted = false;
  #time = performanceNow();

  static NONE = 0; static CAPTURING_PHASE = 1; static AT_TARGET = 2; static BUBBLING_PHASE = 3;

  static {
    const { get } = Object.getOwnPropertyDescriptor({ get isTrusted() { return this.#trusted; } }, "isTrusted");
    isTrusted = { get, enumerable: true, configurable: false };
    trusted = event => {
      event.#trusted = true;
      return event;
    };
    dispatchTo = (target, event, listeners) => {
      if (event.#dispatching) throw new DOMException("The event is being dispatched already.", "InvalidStateError");
      event.#dispatching = true;
      event.#target = event.#current = target;
      for (const l of listeners) {
        if (event.#stopped) break;
        if (l.removed) continue;
        if (l.once) target.removeEventListener(event.#type, l.callback, l.capture);
        event.#passive = l.passive;
        try {
          if (typeof l.callback === "function") l.callback.call(target, event);
          else l.callback.handleEvent(event);
        } catch (e) {
          reportError(e);
        }
      }
      event.#current = null;
      event.#passive = event.#stopped = event.#quiet = false;
      event.#dispatching = false;
      return !event.#canceled;
    };
  }

  constructor(type, init = undefined) {
    if (arguments.length < 1) throw new TypeError("Event needs a type");
    this.#type = String(type);
    const { bubbles, cancelable, composed } = dictionary(init, "The options of an event");
    this.#init = { bubbles: Boolean(bubbles), cancelable: Boolean(cancelable), composed: Boolean(composed) };
    Object.defineProperty(this, "isTrusted", isTrusted);
  }

  get type() { return this.#type; }
  get target() { return this.#target; }
  get srcElement() { return this.#target; }
  get currentTarget() { return this.#current; }
  get bubbles() { return this.#init.bubbles; }
  get cancelable() { return this.#init.cancelable; }
  get composed() { return this.#init.composed; }
  get defaultPrevented() { return this.#canceled; }
  get returnValue() { return !this.#canceled; }
  set returnValue(v) { if (!v) this.preventDefault(); }
  get eventPhase() { return this.#current ? 2 : 0; }
  get timeStamp() { return this.#time; }
  get cancelBubble() { return this.#quiet; }
  set cancelBubble(v) { if (v) this.#quiet = true; }
  preventDefault() { if (this.#init.cancelable && !this.#passive) this.#canceled = true; }
  stopPropagation() { this.#quiet = true; }
  stopImmediatePropagation() { this.#quiet = this.#stopped = true; }
  initEvent(type, bubbles = false, cancelable = false) {
    if (this.#dispatching) return;
    this.#type = String(type);
    this.#init = { ...this.#init, bubbles: Boolean(bubbles), cancelable: Boolean(cancelable) };
    this.#stopped = this.#quiet = this.#canceled = false;
    this.#target = null;
  }
  composedPath() { return this.#current ? [this.#current] : []; }
}

class CustomEvent extends Event {
  #detail;
  constructor(type, init = {}) {
    super(type, init);
    this.#detail = init?.detail ?? null;
  }
  get detail() { return this.#detail; }
}

class ErrorEvent extends Event {
  #init;
  constructor(type, init = {}) {
    super(type, init);
    this.#init = init ?? {};
  }
  get message() { return this.#init.message ?? ""; }
  get filename() { return this.#init.filename ?? ""; }
  get lineno() { return this.#init.lineno ?? 0; }
  get colno() { return this.#init.colno ?? 0; }
  get error() { return this.#init.error; }
}

class EventTarget {
  #listeners = new Map();

  addEventListener(type, callback, options) {
    const { capture, once, passive, signal } = listenerOptions(options);
    if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError("signal must be an AbortSignal");
    if (callback === null || callback === undefined || signal?.aborted) return;
    const key = String(type);
    const list = this.#listeners.get(key) ?? [];
    if (list.some(l => l.callback === callback && l.capture === capture)) return;
    this.#listeners.set(key, [...list, { callback, capture, once, passive, removed: false }]);
    signal?.addEventListener("abort", () => this.removeEventListener(key, callback, capture));
  }

  removeEventListener(type, callback, options) {
    const capture = Boolean(typeof options === "object" && options ? options.capture : options);
    const key = String(type);
    const list = this.#listeners.get(key) ?? [];
    for (const l of list) if (l.callback === callback && l.capture === capture) l.removed = true;
    this.#listeners.set(key, list.filter(l => !l.removed));
  }

  dispatchEvent(event) {
    if (!(event instanceof Event)) throw new TypeError("dispatchEvent needs an Event");
    return dispatchTo(this, event, this.#listeners.get(event.type) ?? []);
  }
}

function listenerOptions(options) {
  if (typeof options !== "object" || options === null) return { capture: Boolean(options), once: false, passive: false };
  const { capture, once, passive, signal } = options;
  return { capture: Boolean(capture), once: Boolean(once), passive: Boolean(passive), signal };
}

// handlerProperty is an attribute such as onabort.
function handlerProperty(c, type) {
  const handlers = new WeakMap();
  Object.defineProperty(c.prototype, "on" + type, {
    configurable: true, enumerable: true,
    get() { return handlers.get(this)?.callback ?? null; },
    set(callback) {
      const old = handlers.get(this);
      if (old) this.removeEventListener(type, old.listener);
      if (typeof callback !== "function") return void handlers.delete(this);
      const listener = event => callback.call(this, event);
      handlers.set(this, { callback, listener });
      this.addEventListener(type, listener);
    },
  });
}

let abortSignal, makeSignal;

class AbortSignal extends EventTarget {
  #aborted = false; #reason; #dependents = []; #sources = null;

  static {
    makeSignal = () => new AbortSignal(internal);
    abortSignal = (s, reason) => {
      if (s.#aborted) return;
      s.#aborted = true;
      s.#reason = reason === undefined ? new DOMException("The operation was aborted", "AbortError") : reason;
      const dependents = s.#dependents.filter(d => !d.#aborted);
      for (const d of dependents) {
        d.#aborted = true;
        d.#reason = s.#reason;
      }
      s.dispatchEvent(trusted(new Event("abort")));
      for (const d of dependents) d.dispatchEvent(trusted(new Event("abort")));
    };
  }

  constructor(token) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    super();
  }

  static abort(reason) {
    const s = makeSignal();
    abortSignal(s, reason);
    return s;
  }

  static timeout(ms) {
    const s = makeSignal();
    setTimeout(() => abortSignal(s, new DOMException("The operation timed out", "TimeoutError")), ms);
    return s;
  }

  static any(signals) {
    const s = makeSignal();
    const list = [...signals];
    for (const other of list) if (!(other instanceof AbortSignal)) throw new TypeError("AbortSignal.any needs signals");
    const aborted = list.find(other => other.#aborted);
    if (aborted) {
      s.#aborted = true;
      s.#reason = aborted.#reason;
      return s;
    }
    // Of signals that depend on others, those others.
    s.#sources = [...new Set(list.flatMap(other => other.#sources ?? [other]))];
    for (const source of s.#sources) source.#dependents.push(s);
    return s;
  }

  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }
}
handlerProperty(AbortSignal, "abort");

class AbortController {
  #signal = makeSignal();
  get signal() { return this.#signal; }
  abort(reason) { abortSignal(this.#signal, reason); }
}
