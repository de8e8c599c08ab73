// Scheduled events: https://developers.cloudflare.com/workers/runtime-apis/handlers/scheduled/

let onScheduled = null; // (controller, env, context), whose promise ends the event

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
  beginEvent(onScheduled, "Handler does not export a scheduled() function.", () => {
    const { cron, time } = JSON.parse(host(opScheduled));
    return new ScheduledController(internal, cron, time);
  });
}

const scheduledListeners = listeners(handler => { onScheduled ??= handler; }, controller => new ScheduledEvent(internal, controller));
