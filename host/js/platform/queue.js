// Producers of queues: https://developers.cloudflare.com/queues/configuration/javascript-apis/#producer

class Queue {
  #binding;
  constructor(token, binding) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#binding = binding;
  }

  async send(body, options) {
    requireRequest();
    const { contentType, delaySeconds } = options ?? {};
    return this.#send("send", [outgoing(body, contentType, delaySeconds)]);
  }

  async sendBatch(messages, options) {
    requireRequest();
    const { delaySeconds } = options ?? {};
    const list = Array.from(messages, m => outgoing(m.body, m.contentType, m.delaySeconds ?? delaySeconds));
    if (list.length === 0) throw new TypeError("sendBatch() requires at least one message");
    return this.#send("sendBatch", list);
  }

  async metrics() {
    requireRequest();
    const job = ask(opQueueBacklog, 0, this.#binding);
    await finished(job);
    return metricsOf(JSON.parse(ask(opResult, job, "text")));
  }

  async #send(method, list) {
    const heads = list.map(({ type, bytes, delay }) => ({ type, size: bytes.length, delay }));
    try {
      const job = ask(opQueueSend, 0, JSON.stringify({ binding: this.#binding, messages: heads }), join(list.map(m => m.bytes)));
      await finished(job);
      return { metadata: { metrics: metricsOf(JSON.parse(ask(opResult, job, "text"))) } };
    } catch (e) {
      if (e instanceof Error && !(e instanceof TypeError)) e.message = `Queue ${method} failed: ${e.message}`;
      throw e;
    }
  }
}

// outgoing is a message as the host takes it.
function outgoing(body, contentType = "json", delaySeconds = undefined) {
  if (body === undefined) throw new TypeError("Message body cannot be undefined");
  const type = String(contentType).toLowerCase();
  return { type, bytes: encodeBody(body, type), delay: whole(delaySeconds) };
}

function encodeBody(body, type) {
  const wants = what => new TypeError(`Content Type "${type}" requires a value of type ${what}, but received: ${typeof body}`);
  switch (type) {
    case "text":
      if (typeof body !== "string") throw wants("string");
      return utf8(body);
    case "bytes":
      if (!ArrayBuffer.isView(body) && !(body instanceof ArrayBuffer)) throw wants("ArrayBufferView");
      return bytesOf(body);
    case "json": {
      const text = JSON.stringify(body);
      if (text === undefined) throw new TypeError(`Message body of type ${typeof body} can't be JSON`);
      return utf8(text);
    }
    case "v8": return v8Serialize(body);
  }
  throw new TypeError(`Unsupported queue message content type: ${type}`);
}

function metricsOf({ backlogCount, backlogBytes, oldest }) {
  return { backlogCount, backlogBytes, oldestMessageTimestamp: oldest === undefined ? undefined : new Date(oldest) };
}
