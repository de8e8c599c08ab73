const prefix = "page/";

export default {
  async fetch(request, env) {
    const name = decodeURIComponent(new URL(request.url).pathname.slice(1)), key = prefix + name;
    switch (request.method) {
      case "GET": return name ? page(await env.PAGES.get(key)) : Response.json(await index(env));
      case "PUT":
        await env.PAGES.put(key, await request.text());
        return new Response(null, { status: 204 });
      case "DELETE":
        await env.PAGES.delete(key);
        return new Response(null, { status: 204 });
    }
    return new Response("GET, PUT or DELETE, please\n", { status: 405, headers: { allow: "GET, PUT, DELETE" } });
  },

  // kv runs after each change of a page, whoever made it. Those of one page come in order.
  async kv(event, env) {
    const name = event.key.slice(prefix.length);
    if (event.operation === "delete") return env.INDEX.delete(name);
    const [title] = (await event.text()).split("\n", 1);
    await env.INDEX.put(name, "", { metadata: { title: title.slice(0, 200) } });
  },
};

const page = text => text === null ? new Response("no such page\n", { status: 404 }) : new Response(text);

async function index(env) {
  const { keys } = await env.INDEX.list();
  return Object.fromEntries(keys.map(k => [k.name, k.metadata.title]));
}
