// What the tests of the platform are written with. Each file imports it and is the
// main module of a Worker that runs its tests and answers with what failed.
const tests = [];
export function test(name, run) { tests.push({ name, run }); }

export function equal(got, want, what = "") {
  const show = v => typeof v === "string" ? JSON.stringify(v) : v instanceof Error ? String(v) : JSON.stringify(v) ?? String(v);
  if (!Object.is(got, want) && show(got) !== show(want)) throw new Error(`${what} got ${show(got)}, want ${show(want)}`);
}

export function throws(run, name, message) {
  try {
    run();
  } catch (e) {
    return thrown(e, name, message);
  }
  throw new Error(`nothing was thrown, want ${name}`);
}

export async function rejects(promise, name, message) {
  try {
    await promise;
  } catch (e) {
    return thrown(e, name, message);
  }
  throw new Error(`nothing was thrown, want ${name}`);
}

function thrown(e, name, message) {
  if (e?.name !== name || message !== undefined && !e.message.includes(message)) throw new Error(`got ${e}, want ${name}: ${message ?? ""}`);
}

async function late(name) {
  await new Promise(r => setTimeout(r, 240_000));
  throw new Error(`${name} did not end within four minutes`);
}

export default {
  async fetch(request, env, ctx) {
    const results = [];
    for (const { name, run } of tests) {
      let failure = "";
      try {
        await Promise.race([run(request, env, ctx), late(name)]);
      } catch (e) {
        failure = `${e}\n${e?.stack ?? ""}`;
      }
      results.push({ name, failure });
    }
    return Response.json(results);
  },
};
