// https://html.spec.whatwg.org/#timers. The host knows of the next one only.

const timers = new Map(); // by number: { at, order, callback, args, every }
let timerNumber = 0, timerClock = 0;

function setTimer(callback, delay, args, repeat) {
  requireRequest();
  if (typeof callback !== "function") throw new TypeError("Failed to execute 'setTimeout': parameter 1 is not of type 'Function'.");
  delay = Math.max(Number(delay) | 0, 0); // a long of Web IDL
  const id = ++timerNumber;
  timers.set(id, { at: performanceNow() + delay, order: id, callback, args, every: repeat ? Math.max(delay, 1) : 0 });
  arm();
  return id;
}

// arm tells the host when the next timer is due.
function arm() {
  let next = Infinity;
  for (const t of timers.values()) next = Math.min(next, t.at);
  host(opTimer, next === Infinity ? -1 : Math.max(0, Math.ceil(next - performanceNow())));
}

function runTimers() {
  const now = performanceNow();
  const due = [...timers].filter(([, t]) => t.at <= now).sort(([, a], [, b]) => a.at - b.at || a.order - b.order);
  // One at a time, so that what one makes ready runs before the next.
  const [id, t] = due[0] ?? [];
  if (t) {
    if (t.every) {
      t.at = now + t.every;
      t.order = ++timerNumber;
    } else timers.delete(id);
    try {
      t.callback(...t.args);
    } catch (e) {
      reportError(e);
    }
  }
  arm();
}

function setTimeout(callback, delay, ...args) { return setTimer(callback, delay, args, false); }
function setInterval(callback, delay, ...args) { return setTimer(callback, delay, args, true); }
function clearTimeout(id) { if (timers.delete(Number(id))) arm(); }
function clearInterval(id) { clearTimeout(id); }

function queueMicrotask(callback) {
  if (typeof callback !== "function") throw new TypeError("queueMicrotask needs a function");
  Promise.resolve().then(() => {
    try {
      callback();
    } catch (e) {
      reportError(e);
    }
  });
}

const scheduler = {
  wait(ms, options) {
    return new Promise((resolve, reject) => {
      options?.signal?.throwIfAborted();
      const id = setTimeout(resolve, ms);
      options?.signal?.addEventListener("abort", () => {
        clearTimeout(id);
        reject(options.signal.reason);
      });
    });
  },
};

const performance = {
  now: performanceNow,
  get timeOrigin() { return Date.now() - performanceNow(); },
  toJSON() { return { timeOrigin: this.timeOrigin }; },
};
