import { Invalid, parse } from "./note";

interface Env {
  NOTES: KVNamespace;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const [, collection, id] = new URL(request.url).pathname.split("/");
    if (collection !== "notes") return fail(404, "notes are at /notes");
    try {
      return id ? await one(request, env, decodeURIComponent(id)) : await all(request, env);
    } catch (e) {
      if (e instanceof Invalid || e instanceof SyntaxError) return fail(400, e.message);
      throw e;
    }
  },
};

async function all(request: Request, env: Env): Promise<Response> {
  switch (request.method) {
    case "GET": {
      const cursor = new URL(request.url).searchParams.get("cursor");
      const page = await env.NOTES.list<{ title: string }>({ prefix: "note:", limit: 100, cursor });
      const notes = page.keys.map(key => ({ id: key.name.slice("note:".length), title: key.metadata?.title }));
      return Response.json({ notes, cursor: page.list_complete ? null : page.cursor });
    }
    case "POST": {
      const id = crypto.randomUUID();
      await put(env, id, await request.json());
      return Response.json({ id }, { status: 201, headers: { location: `/notes/${id}` } });
    }
  }
  return fail(405, "use GET or POST");
}

async function one(request: Request, env: Env, id: string): Promise<Response> {
  switch (request.method) {
    case "GET": {
      const note = await env.NOTES.get("note:" + id, "json");
      return note ? Response.json(note) : fail(404, "there is no such note");
    }
    case "PUT":
      await put(env, id, await request.json());
      return new Response(null, { status: 204 });
    case "DELETE":
      await env.NOTES.delete("note:" + id);
      return new Response(null, { status: 204 });
  }
  return fail(405, "use GET, PUT or DELETE");
}

async function put(env: Env, id: string, value: unknown): Promise<void> {
  const note = parse(value);
  await env.NOTES.put("note:" + id, JSON.stringify(note), { metadata: { title: note.title } });
}

function fail(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
