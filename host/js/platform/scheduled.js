// Scheduled events: https://developers.cloudflare.com/workers/runtime-apis/handlers/scheduled/

let onScheduled = null; // (controller, env, context), whose promise ends the event
let scheduling = false, scheduleFailure; // of the first promise of waitUntil that was rejected

class ScheduledController {
  #cron; #time;
  constructor(token, cron, time) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    this.#cron = cron;
    this.#time = time;
  }
  get cron() { return this.#cron; }
  get scheduledTime() { return this.#time; }
  get type() { return "scheduled"; }
  noRetry() {}
}

// ScheduledEvent is what a listener of a script gets.
class ScheduledEvent extends Event {
  #controller;
  constructor(token, controller) {
    if (token !== internal) throw new TypeError("Illegal constructor");
    super("scheduled");
    this.#controller = controller;
  }
  get cron() { return this.#controller.cron; }
  get scheduledTime() { return this.#controller.scheduledTime; }
  noRetry() {}
  waitUntil(promise) { waitFor(promise); }
}

function beginScheduled() {
  scheduling = true;
  if (!onScheduled) return failed(new TypeError("Handler does not export a scheduled() function."));
  const { cron, time } = JSON.parse(host(opScheduled));
  let result;
  try {
    result = onScheduled(new ScheduledController(internal, cron, time), env, new ExecutionContext(internal));
  } catch (e) {
    return failed(e);
  }
  Promise.resolve(result).then(() => {
    answered = true;
    settleIfDone();
  }, failed);
}

// addScheduledListener is addEventListener("scheduled", callback).
const scheduledListeners = [];
function addScheduledListener(callback) {
  onScheduled ??= controller => {
    const event = new ScheduledEvent(internal, controller);
    for (const listener of scheduledListeners) {
      if (typeof listener === "function") listener(event);
      else listener.handleEvent(event);
    }
  };
  scheduledListeners.push(callback);
}
