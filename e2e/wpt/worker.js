// The Worker around one file of the web platform tests: it runs the harness and the
// file in a request, and answers with what became of each subtest.
import plan from "./plan.json";

// What a browser has and a server does not: an address that relative URLs and the
// variants of tests refer to.
function addAddress() {
  globalThis.GLOBAL = { isWindow: () => false, isWorker: () => true, isShadowRealm: () => false };
  globalThis.location = new URL(plan.url);
  const { fetch, Request, Response } = globalThis;
  const absolute = url => url instanceof Request ? url : new URL(url, plan.url).href;
  globalThis.fetch = (input, init) => fetch(absolute(input), init);
  globalThis.Request = new Proxy(Request, { construct: (target, [input, ...rest], self) => Reflect.construct(target, [absolute(input), ...rest], self === globalThis.Request ? target : self) });
  Object.defineProperty(Request.prototype, "constructor", { value: globalThis.Request, writable: true, configurable: true });
  const { redirect } = Response;
  Response.redirect = (url, ...rest) => redirect.call(Response, absolute(url), ...rest);
}

const statuses = ["PASS", "FAIL", "TIMEOUT", "NOTRUN", "PRECONDITION_FAILED"];
const harnessStatuses = ["OK", "ERROR", "TIMEOUT", "PRECONDITION_FAILED"];

export default {
  fetch() {
    addAddress();
    return new Promise(resolve => {
      const answer = (tests, { status, message }) => resolve(Response.json({
        status: harnessStatuses[status], message: message && String(message),
        subtests: tests.map(t => ({ name: String(t.name), status: statuses[t.status], message: t.message && String(t.message) })),
      }));
      const { Response } = globalThis;
      try {
        (0, eval)(plan.harness);
        add_completion_callback(answer);
        setTimeout(() => timeout(), plan.patience);
        (0, eval)(plan.script);
      } catch (e) {
        resolve(Response.json({ status: "ERROR", message: `${e}\n${e?.stack}`, subtests: [] }));
      }
    });
  },
};
