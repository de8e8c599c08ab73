// KV triggers: what the kv() handler gets.

let onKV = null; // (event, env, context), whose promise ends the event

// KVEvent is a change of one key. It is an Event, so that listeners of scripts get the
// same.
class KVEvent extends Event {
  #head;
  constructor(token, head) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    super("kv");
    this.#head = head;
  }
  get namespaceId() { return this.#head.namespace; }
  get binding() { return this.#head.binding || null; }
  get key() { return this.#head.key; }
  get operation() { return this.#head.deleted ? "delete" : "put"; }
  get revision() { return this.#head.revision; }
  get oldRevision() { return this.#head.oldRevision; }
  get size() { return this.#head.size; }
  get metadata() { return this.#head.metadata ?? null; }
  get expiration() { return this.#head.expiration || undefined; }
  get timestamp() { return new Date(this.#head.time); }
  get attempts() { return this.#head.attempt; }

  // What was written; null if the key was removed.
  async text() { return this.#value(fromUTF8); }
  async json() { return this.#value(bytes => JSON.parse(fromUTF8(bytes))); }
  async arrayBuffer() { return this.#value(bufferOf); }
  waitUntil(promise) { waitFor(promise); }

  #value(convert) {
    if (this.#head.deleted) return null;
    const bytes = ask(opChangeValue);
    if (bytes === null) throw new Error(`A value of ${this.size} bytes is not part of its event; read it by get() of a namespace`);
    return convert(bytes);
  }
}

function beginKV() {
  beginEvent(onKV, "Handler does not export a kv() function.", () => new KVEvent(internal, JSON.parse(ask(opChange))));
}

const kvListeners = listeners(handler => { onKV ??= handler; }, event => event);
