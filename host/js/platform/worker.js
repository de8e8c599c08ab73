// How the host calls JavaScript: handle. Its first event in an invocation is what that
// is for, a request or another event, and the others are operations that have finished.

const env = {};
const flagGet = 1, flagBody = 2, flagSecrets = 4;
const eventLoad = 1, eventLoaded = 2, eventRejected = 3, eventHandled = 4, eventTimer = 5;
const firstOperation = 16, firstRequest = 1 << 24, scheduledEvent = 1 << 25, kvEvent = 1 << 26, queueEvent = 1 << 27;
const settledFlag = 1 << 16;

let onFetch = null; // (request, env, context) => Response or a promise of one
let loaded = false, loadFailure;
let answered = false, waitingFor = 0;
const rejections = new Map(); // promises that nobody has looked at, with their reasons

class ExecutionContext {
  #props;
  constructor(token) { if (token !== internal) throw new TypeError("Illegal constructor"); }
  waitUntil(promise) { waitFor(promise); }
  passThroughOnException() {}
  get props() { return this.#props ??= {}; }
}

function waitFor(promise) {
  waitingFor++;
  Promise.resolve(promise).catch(e => {
    if (inEvent) eventFailure ??= { e };
    else host(opFailed, 1, "Uncaught (in promise) " + describeError(e));
  }).then(() => {
    waitingFor--;
    settleIfDone();
  });
}

function settleIfDone() {
  if (answered && waitingFor === 0) {
    if (eventFailure) return failed(eventFailure.e);
    reportRejections();
    host(opSettled);
  }
}

function reportRejections() {
  for (const reason of rejections.values()) host(opFailed, 1, "Uncaught (in promise) " + describeError(reason));
  rejections.clear();
}

function handle(event, promise, reason) {
  if (event >= firstRequest) return begin(event);
  if (event >= firstOperation) {
    const h = event - firstOperation, resolve = pending.get(h);
    pending.delete(h);
    if (resolve) resolve();
    return;
  }
  switch (event) {
    case eventTimer: return runTimers();
    case eventRejected: return void rejections.set(promise, reason);
    case eventHandled: return void rejections.delete(promise);
    case eventLoad: return load();
    case eventLoaded: return checkLoaded();
  }
}

function begin(flags) {
  if (serving) forget();
  serving = true;
  if (flags & flagSecrets) addSecrets();
  if (flags & scheduledEvent) return beginScheduled();
  if (flags & kvEvent) return beginKV();
  if (flags & queueEvent) return beginBatch();
  if (!onFetch) return failed(new TypeError("Handler does not export a fetch() function."));
  let result;
  try {
    result = onFetch(incoming(flags), env, new ExecutionContext(internal));
  } catch (e) {
    return failed(e);
  }
  if (result instanceof Response) answer(result);
  else Promise.resolve(result).then(answer).catch(failed);
}

// forget is for a request after those that warmed up.
function forget() {
  answered = false;
  waitingFor = 0;
  pending.clear();
  endings.clear();
  timers.clear();
  rejections.clear();
}

function addSecrets() {
  const list = host(opSecrets).split("\0");
  for (let i = 0; i + 2 < list.length; i += 3) env[list[i]] = list[i + 1] === "json" ? JSON.parse(list[i + 2]) : list[i + 2];
}

function failed(e) {
  reportRejections();
  host(opFailed, 0, "Uncaught " + describeError(e));
}

function answer(response) {
  if (!(response instanceof Response)) {
    return failed(new TypeError("Incorrect type for Promise: the Promise did not resolve to 'Response'."));
  }
  try {
    const status = response.status, block = headersBlock(response.headers);
    if (status === 0) throw new TypeError("Response.error() can't be returned as an answer");
    const content = useBody(response);
    const whole = content === null || typeof content === "string" || content instanceof Uint8Array;
    if (whole && !(content?.length > largeAnswer)) return respond(status, block, content);
    return answerStream(status, block, content).catch(failed);
  } catch (e) {
    return failed(e);
  }
}

function respond(status, block, content) {
  answered = true;
  if (waitingFor === 0 && rejections.size === 0) {
    ask(opRespond, status | settledFlag, block, content ?? undefined);
    return;
  }
  ask(opRespond, status, block, content ?? undefined);
  if (waitingFor > 0) ask(opDetach);
  settleIfDone();
}

// A longer answer, in characters or bytes, is sent in pieces, where that can be: there
// is a limit for what is sent as a whole.
const largeAnswer = 16 << 20, largePiece = 1 << 20;

function* pieces(bytes) {
  for (let i = 0; i < bytes.length; i += largePiece) yield bytes.subarray(i, i + largePiece);
}

// answerStream sends each chunk as it comes, or all together where that can't be.
async function answerStream(status, block, content) {
  const out = ask(opStream, status, block);
  if (out === null) return respond(status, block, (await readAll(content)).bytes);
  answered = true;
  if (typeof content === "number") {
    const job = ask(opPipe, content, String(out));
    await finished(job);
    ask(opResult, job);
    ask(opClose, out);
    return settleIfDone();
  }
  if (typeof content === "string") content = utf8(content);
  if (content instanceof Uint8Array) content = pieces(content);
  for await (const chunk of content) {
    const bytes = typeof chunk === "string" ? utf8(chunk) : bytesOf(chunk);
    if (!bytes) throw new TypeError("A body must consist of bytes");
    ask(opWrite, out, undefined, bytes);
  }
  ask(opClose, out);
  settleIfDone();
}

// Loading: once, before any request.

function load() {
  keepShapes();
  makeEnv();
  const program = JSON.parse(ask(opProgram));
  const started = program.script ? runScript(program.main) : import(program.main).then(use);
  Promise.resolve(started).then(loadOthers).then(() => { loaded = true; }, e => { loadFailure = { e }; });
}

// keepShapes keeps one object of each kind that nearly every request makes: the engine
// then need not find out anew what they look like.
const kept = [];
function keepShapes() {
  kept.push(incoming(flagGet), new Response("x"), new Response(null, { headers: { a: "b" } }), new Headers({ a: "b" }),
    new ExecutionContext(internal), new URL("http://a/?b=c"), new URLSearchParams("a=b"));
}

function makeEnv() {
  for (const { name, type, value } of JSON.parse(host(opBindings))) {
    switch (type) {
      case "text": env[name] = value ?? ""; break;
      case "json": env[name] = JSON.parse(value); break;
      case "kv": env[name] = new KVNamespace(internal, name); break;
      case "queue": env[name] = new Queue(internal, name); break;
      case "fetcher": env[name] = new Fetcher(internal, name); break;
      case "ratelimit": env[name] = new RateLimit(internal, name); break;
    }
  }
}

function use(namespace) {
  const main = namespace.default;
  const has = name => main && typeof main[name] === "function";
  if (has("scheduled")) onScheduled = (controller, env, context) => main.scheduled(controller, env, context);
  if (has("queue")) onQueue = (batch, env, context) => main.queue(batch, env, context);
  if (has("kv")) onKV = (event, env, context) => main.kv(event, env, context);
  if (has("fetch")) onFetch = (request, env, context) => main.fetch(request, env, context);
  if (!handledEvents()) throw new TypeError("Handler does not export a fetch() function.");
}

// handledEvents is what is handled: host.Handlers.
const handledEvents = () => [onFetch, onScheduled, onQueue, onKV].reduce((bits, handler, i) => handler ? bits | 1 << i : bits, 0);

// loadOthers is for modules that are imported later, when their source is not there.
function loadOthers() {
  for (const name of JSON.parse(ask(opUnloaded))) compile(name);
}

function checkLoaded() {
  if (loadFailure) host(opFailed, 0, "Uncaught " + describeLoading(loadFailure.e));
  else if (!loaded) host(opFailed, 0, "Uncaught Error: the top-level await of a module does not settle");
  else reportRejections();
  host(opHandlers, handledEvents());
}

function describeLoading(e) {
  const at = e instanceof SyntaxError && /at (?:.*\()?([^\s()]+:\d+:\d+)/.exec(e.stack);
  return at ? `SyntaxError: ${e.message} (${at[1]})` : describeError(e);
}

// Service worker syntax: https://developers.cloudflare.com/workers/reference/migrate-to-module-workers/

class FetchEvent extends Event {
  #request; #response;
  static response;
  static { FetchEvent.response = e => e.#response; }
  constructor(token, request) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    super("fetch");
    this.#request = request;
  }
  get request() { return this.#request; }
  respondWith(response) {
    if (this.#response !== undefined) throw new DOMException("FetchEvent.respondWith() has already been called.", "InvalidStateError");
    this.#response = response;
  }
  waitUntil(promise) { waitFor(promise); }
  passThroughOnException() {}
}
const responseOf = FetchEvent.response;
delete FetchEvent.response;

const globalTarget = new EventTarget();
function addEventListener(type, callback, options) {
  switch (type) {
    case "scheduled": return scheduledListeners(callback);
    case "kv": return kvListeners(callback);
    case "queue": return queueListeners(callback);
  }
  if (type !== "fetch") return globalTarget.addEventListener(type, callback, options);
  onFetch ??= request => {
    const event = new FetchEvent(internal, request);
    for (const listener of fetchListeners) {
      if (typeof listener === "function") listener(event);
      else listener.handleEvent(event);
      if (responseOf(event) !== undefined) return responseOf(event);
    }
    throw new TypeError("No event handler called respondWith()");
  };
  fetchListeners.push(callback);
}
const fetchListeners = [];

function runScript(name) {
  (0, eval)(ask(opSource, 0, name)); // eslint-disable-line no-eval
  for (const [key, value] of Object.entries(env)) globalThis[key] = value;
  if (!handledEvents()) throw new TypeError("No event handlers were registered. This script does nothing.");
}

define(globalThis, "addEventListener", addEventListener);
define(globalThis, "removeEventListener", (type, callback) => globalTarget.removeEventListener(type, callback));
define(globalThis, "dispatchEvent", event => globalTarget.dispatchEvent(event));
