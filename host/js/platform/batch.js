// Consumers of queues: https://developers.cloudflare.com/queues/configuration/javascript-apis/#consumer

let onQueue = null; // (batch, env, context), whose promise ends the event

// What was decided about a message, or about all. The first decision counts; those that
// come to nothing are warned of in Cloudflare's words.
const undecided = 0, acked = 1, retried = 2;
const noEffect = (what, of, before, after) => write(2, [`Received a call to ${what}${of} after ${before} was already called. ${after}`]);

function delayText(options) {
  const delay = whole(options?.delaySeconds);
  return delay === undefined ? undefined : String(delay);
}

class Message {
  #batch; #index; #head; #body; #decoded = false; #decided = undecided;
  constructor(token, batch, index, head) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#batch = batch;
    this.#index = index;
    this.#head = head;
  }
  get id() { return this.#head.id; }
  get timestamp() { return new Date(this.#head.sent); }
  get attempts() { return this.#head.attempts; }
  get body() {
    if (!this.#decoded) {
      this.#body = decodeBody(ask(opBatchBody, this.#index), this.#head.type);
      this.#decoded = true;
    }
    return this.#body;
  }
  ack() {
    const all = decidedOf(this.#batch);
    if (all === acked) return;
    if (all === retried) return noEffect("ack()", ` on message ${this.id}`, "retryAll()", "Calling ack() on a message after calling retryAll() has no effect.");
    if (this.#decided === retried) return noEffect("ack()", ` on message ${this.id}`, "retry()", "Calling ack() on a message after calling retry() has no effect.");
    ask(opAck, this.#index);
    this.#decided = acked;
  }
  retry(options) {
    const all = decidedOf(this.#batch);
    if (all === retried) return;
    if (all === acked) return noEffect("retry()", ` on message ${this.id}`, "ackAll()", "Calling retry() on a message after calling ackAll() has no effect.");
    if (this.#decided === acked) return noEffect("retry()", ` on message ${this.id}`, "ack()", "Calling retry() on a message after calling ack() has no effect.");
    ask(opRetry, this.#index, delayText(options));
    this.#decided = retried;
  }
}

let decidedOf; // what was decided about all messages of a batch

class MessageBatch {
  #head; #messages; #decided = undecided;
  static { decidedOf = batch => batch.#decided; }
  constructor(token, head) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#head = head;
    this.#messages = Object.freeze(head.messages.map((m, i) => new Message(internal, this, i, m)));
  }
  get queue() { return this.#head.queue; }
  get messages() { return this.#messages; }
  get metadata() { return { metrics: metricsOf(this.#head.backlog) }; }
  ackAll() {
    if (this.#decided === retried) return noEffect("ackAll()", "", "retryAll()", "Calling ackAll() after calling retryAll() has no effect.");
    ask(opAckAll);
    this.#decided = acked;
  }
  retryAll(options) {
    if (this.#decided === acked) return noEffect("retryAll()", "", "ackAll()", "Calling retryAll() after calling ackAll() has no effect.");
    ask(opRetryAll, 0, delayText(options));
    this.#decided = retried;
  }
}

function decodeBody(content, type) {
  switch (type) {
    case "text": return content;
    case "json": return JSON.parse(content);
    case "bytes": return bufferOf(content);
    default: return v8Deserialize(content);
  }
}

// QueueEvent is what a listener of a script gets.
class QueueEvent extends Event {
  #batch;
  constructor(token, batch) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    super("queue");
    this.#batch = batch;
  }
  get queue() { return this.#batch.queue; }
  get messages() { return this.#batch.messages; }
  get metadata() { return this.#batch.metadata; }
  ackAll() { this.#batch.ackAll(); }
  retryAll(options) { this.#batch.retryAll(options); }
  waitUntil(promise) { waitFor(promise); }
}

function beginBatch() {
  beginEvent(onQueue, "Handler does not export a queue() function.", () => new MessageBatch(internal, JSON.parse(ask(opBatch))));
}

const queueListeners = listeners(handler => { onQueue ??= handler; }, batch => new QueueEvent(internal, batch));
