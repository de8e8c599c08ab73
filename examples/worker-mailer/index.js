export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (request.method === "POST" && pathname === "/mails") return accept(request, env);
    const state = request.method === "GET" && await env.STATE.get(pathname.slice(1), "json");
    return state ? Response.json(state) : Response.json({ error: "there is no such mail" }, { status: 404 });
  },

  // The mails of a batch fail one by one, so that those which were sent do not come again.
  async queue(batch, env) {
    for (const message of batch.messages) {
      const { id } = message.body;
      if (batch.queue === "mails-dead") {
        await env.STATE.put(id, JSON.stringify({ state: "failed" }));
        continue;
      }
      try {
        if ((await env.STATE.get(id, "json"))?.state !== "sent") deliver(message.body); // a message may come twice
        await env.STATE.put(id, JSON.stringify({ state: "sent", attempts: message.attempts }));
        message.ack();
      } catch (e) {
        console.warn(`attempt ${message.attempts} for ${id}:`, e);
        message.retry();
      }
    }
  },
};

async function accept(request, env) {
  const mail = await request.json().catch(() => null);
  if (typeof mail?.to !== "string" || typeof mail.text !== "string") return Response.json({ error: "a mail has to and text" }, { status: 400 });
  const id = crypto.randomUUID();
  await env.STATE.put(id, JSON.stringify({ state: "waiting" }));
  await env.MAILS.send({ id, to: mail.to, text: mail.text });
  return Response.json({ id }, { status: 202 });
}

// deliver stands for a call of a mail server.
function deliver({ to }) {
  if (to.endsWith("@down.example")) throw new Error(`the server of ${to} does not answer`);
}
