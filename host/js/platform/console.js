// https://console.spec.whatwg.org/, into the Function's log

const levels = { debug: 0, log: 1, info: 1, warn: 2, error: 3 };

// inspect shows a value for people to read.
function inspect(v, depth = 3, seen = []) {
  switch (typeof v) {
    case "string": return seen.length ? JSON.stringify(v) : v;
    case "bigint": return `${v}n`;
    case "symbol": return v.toString();
    case "function": return `[${Object.prototype.toString.call(v).slice(8, -1)} ${v.name || "(anonymous)"}]`;
    case "object": break;
    default: return Object.is(v, -0) ? "-0" : String(v);
  }
  if (v === null) return "null";
  if (seen.includes(v)) return "[Circular]";
  if (v instanceof Error) return describeError(v);
  if (v instanceof Date) return Number.isNaN(v.getTime()) ? "Invalid Date" : v.toISOString();
  if (v instanceof RegExp) return String(v);
  if (v instanceof URL) return `URL ${v.href}`;
  if (v instanceof Headers) return `Headers ${inspect(Object.fromEntries(v), depth, seen)}`;
  if (v instanceof Request) return `Request { method: ${v.method}, url: ${v.url} }`;
  if (v instanceof Response) return `Response { status: ${v.status} }`;
  if (depth < 0) return Array.isArray(v) ? "[Array]" : "[Object]";
  const inner = x => inspect(x, depth - 1, [...seen, v]);
  if (Array.isArray(v) || ArrayBuffer.isView(v) && !(v instanceof DataView)) return inspectList(v, Array.from(v.slice(0, 100), inner));
  if (v instanceof Map) return `Map(${v.size}) {${[...v].map(([k, x]) => ` ${inner(k)} => ${inner(x)}`)} }`;
  if (v instanceof Set) return `Set(${v.size}) {${[...v].map(x => ` ${inner(x)}`)} }`;
  if (v instanceof Promise) return "Promise {}";
  const name = v.constructor?.name;
  const body = Object.keys(v).map(k => ` ${/^[\w$]+$/.test(k) ? k : JSON.stringify(k)}: ${inner(v[k])}`);
  return `${name && name !== "Object" ? name + " " : ""}{${body}${body.length ? " " : ""}}`;
}

function inspectList(v, items) {
  const more = v.length > 100 ? `, ... ${v.length - 100} more` : "";
  return `${Array.isArray(v) ? "" : `${v.constructor.name}(${v.length}) `}[${items.length ? " " : ""}${items.join(", ")}${more}${items.length ? " " : ""}]`;
}

// describeError is the message of an exception with its stack.
function describeError(e) {
  if (!(e instanceof Error)) return inspect(e);
  const head = `${e.name}: ${e.message}`;
  const stack = typeof e.stack === "string" ? e.stack.split("\n").filter(line => line && !line.includes("mayfly:platform") && !line.includes("(native)")).join("\n") : "";
  const cause = e.cause === undefined ? "" : `\n  [cause]: ${inspect(e.cause)}`;
  return (stack ? `${head}\n${stack}` : head) + cause;
}

// format does what console.log does with its arguments.
function format(args) {
  if (typeof args[0] !== "string" || !args[0].includes("%")) return args.map(a => inspect(a)).join(" ");
  let next = 1;
  const text = args[0].replace(/%[sdifjoOc%]/g, spec => {
    if (spec === "%%") return "%";
    if (next >= args.length) return spec;
    const a = args[next++];
    switch (spec[1]) {
      case "s": return typeof a === "object" ? inspect(a) : String(a);
      case "d": return String(Number(a));
      case "i": return String(parseInt(a, 10));
      case "f": return String(parseFloat(a));
      case "j": return JSON.stringify(a);
      case "c": return "";
      default: return inspect(a);
    }
  });
  return [text, ...args.slice(next).map(a => inspect(a))].join(" ");
}

const counts = new Map(), clocks = new Map();
let indent = "";

function write(level, args) {
  const text = format(args);
  host(opLog, level, indent ? text.replace(/^/gm, indent) : text);
}

const console = {
  clear() {},
  trace(...args) { write(0, ["Trace: " + format(args) + "\n" + new Error().stack]); },
  assert(ok, ...args) { if (!ok) write(3, args.length ? ["Assertion failed: " + format(args)] : ["Assertion failed"]); },
  dir(v) { write(1, [v]); },
  dirxml(...args) { write(1, args); },
  table(v) { write(1, [v]); },
  group(...args) {
    if (args.length) write(1, args);
    indent += "  ";
  },
  groupEnd() { indent = indent.slice(2); },
  count(label = "default") {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    write(1, [`${label}: ${counts.get(label)}`]);
  },
  countReset(label = "default") { counts.delete(label); },
  time(label = "default") { clocks.set(label, performanceNow()); },
  timeLog(label = "default", ...args) { write(1, [`${label}: ${(performanceNow() - (clocks.get(label) ?? 0)).toFixed(3)}ms`, ...args]); },
  timeEnd(label = "default") {
    console.timeLog(label);
    clocks.delete(label);
  },
};
console.groupCollapsed = console.group;
for (const [name, level] of Object.entries(levels)) console[name] = (...args) => write(level, args);

// reportError is for exceptions that nobody can catch.
function reportError(e) {
  host(opFailed, 1, "Uncaught " + describeError(e));
}

define(globalThis, "console", console);
define(globalThis, "reportError", reportError);
