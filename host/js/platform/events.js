// https://dom.spec.whatwg.org/#events and #aborting-ongoing-activities, as far as
// there is no tree.

let dispatchTo;

class Event {
  #type; #init; #target = null; #current = null; #canceled = false; #stopped = false; #dispatching = false;
  #time = performanceNow();

  static NONE = 0; static CAPTURING_PHASE = 1; static AT_TARGET = 2; static BUBBLING_PHASE = 3;

  static {
    dispatchTo = (target, event, listeners) => {
      if (event.#dispatching) throw new DOMException("The event is being dispatched already.", "InvalidStateError");
      event.#dispatching = true;
      event.#target = event.#current = target;
      event.#stopped = false;
      for (const l of listeners) {
        if (event.#stopped) break;
        if (l.removed) continue;
        if (l.once) target.removeEventListener(event.#type, l.callback);
        try {
          if (typeof l.callback === "function") l.callback.call(target, event);
          else l.callback.handleEvent(event);
        } catch (e) {
          reportError(e);
        }
      }
      event.#current = null;
      event.#dispatching = false;
      return !event.#canceled;
    };
  }

  constructor(type, init = {}) {
    if (arguments.length < 1) throw new TypeError("Event needs a type");
    this.#type = String(type);
    this.#init = init ?? {};
  }

  get type() { return this.#type; }
  get target() { return this.#target; }
  get srcElement() { return this.#target; }
  get currentTarget() { return this.#current; }
  get bubbles() { return Boolean(this.#init.bubbles); }
  get cancelable() { return Boolean(this.#init.cancelable); }
  get composed() { return Boolean(this.#init.composed); }
  get defaultPrevented() { return this.#canceled; }
  get returnValue() { return !this.#canceled; }
  get eventPhase() { return this.#current ? 2 : 0; }
  get isTrusted() { return false; }
  get timeStamp() { return this.#time; }
  get cancelBubble() { return this.#stopped; }
  preventDefault() { if (this.cancelable) this.#canceled = true; }
  stopPropagation() {}
  stopImmediatePropagation() { this.#stopped = true; }
  composedPath() { return this.#current ? [this.#current] : []; }
}

class CustomEvent extends Event {
  #detail;
  constructor(type, init = {}) {
    super(type, init);
    this.#detail = init.detail ?? null;
  }
  get detail() { return this.#detail; }
}

class ErrorEvent extends Event {
  #init;
  constructor(type, init = {}) {
    super(type, init);
    this.#init = init;
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
    if (callback === null || callback === undefined) return;
    const { once = false, signal } = typeof options === "object" && options ? options : {};
    if (signal?.aborted) return;
    const key = String(type);
    const list = this.#listeners.get(key) ?? [];
    if (list.some(l => l.callback === callback)) return;
    this.#listeners.set(key, [...list, { callback, once, removed: false }]);
    signal?.addEventListener("abort", () => this.removeEventListener(key, callback));
  }

  removeEventListener(type, callback) {
    const key = String(type);
    const list = this.#listeners.get(key) ?? [];
    for (const l of list) if (l.callback === callback) l.removed = true;
    this.#listeners.set(key, list.filter(l => !l.removed));
  }

  dispatchEvent(event) {
    if (!(event instanceof Event)) throw new TypeError("dispatchEvent needs an Event");
    return dispatchTo(this, event, this.#listeners.get(event.type) ?? []);
  }
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

let abortSignal, makeSignal, followers;

class AbortSignal extends EventTarget {
  #aborted = false; #reason; #dependents = [];

  static {
    makeSignal = () => new AbortSignal(internal);
    abortSignal = (s, reason) => {
      if (s.#aborted) return;
      s.#aborted = true;
      s.#reason = reason === undefined ? new DOMException("The operation was aborted", "AbortError") : reason;
      for (const d of s.#dependents) abortSignal(d, s.#reason);
      s.dispatchEvent(new Event("abort"));
    };
    followers = s => s.#dependents;
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
    const aborted = list.find(other => other.aborted);
    if (aborted) abortSignal(s, aborted.reason);
    else for (const other of list) followers(other).push(s);
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
