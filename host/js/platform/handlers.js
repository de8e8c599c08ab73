// Events that nobody waits for an answer to.

let inEvent = false, eventFailure; // of the first promise of waitUntil that was rejected

// beginEvent calls a handler with what make makes; its promise, and those of waitUntil,
// end the event.
function beginEvent(handler, missing, make) {
  inEvent = true;
  if (!handler) return failed(new TypeError(missing));
  let result;
  try {
    result = handler(make(), env, new ExecutionContext(internal));
  } catch (e) {
    return failed(e);
  }
  Promise.resolve(result).then(() => {
    answered = true;
    settleIfDone();
  }, failed);
}

// listeners is what adds the listeners of a script for one kind of events. The first
// sets a handler, which calls all of them with what eventOf makes of its argument.
function listeners(set, eventOf) {
  const all = [];
  return callback => {
    set(given => {
      const event = eventOf(given);
      for (const listener of all) {
        if (typeof listener === "function") listener(event);
        else listener.handleEvent(event);
      }
    });
    all.push(callback);
  };
}
