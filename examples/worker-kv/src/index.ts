import { listing, read, readAll } from "./read";

interface Env {
  STORE: KVNamespace;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url), key = decodeURIComponent(url.pathname.slice(1));
    try {
      if (key === "") return url.searchParams.has("key") ? await readAll(env.STORE, url.searchParams) : await listing(env.STORE, url.searchParams);
      return await one(request, env.STORE, key, url.searchParams);
    } catch (e) {
      return Response.json({ error: (e as Error).message }, { status: 400 });
    }
  },
};

async function one(request: Request, store: KVNamespace, key: string, query: URLSearchParams): Promise<Response> {
  switch (request.method) {
    case "GET":
      return read(store, key, query);
    case "PUT":
      await store.put(key, await content(request, query.get("as")), options(request, query));
      return new Response(null, { status: 204 });
    case "DELETE":
      await store.delete(key);
      return new Response(null, { status: 204 });
  }
  return Response.json({ error: "use GET, PUT or DELETE" }, { status: 405 });
}

// content is the body, as each of the types that a value can be put as.
async function content(request: Request, as: string | null): Promise<string | ArrayBuffer | ArrayBufferView | ReadableStream> {
  switch (as) {
    case "arrayBuffer":
      return request.arrayBuffer();
    case "view":
      return new Uint8Array(await request.arrayBuffer());
    case "stream":
      return request.body ?? "";
  }
  return request.text();
}

function options(request: Request, query: URLSearchParams): KVNamespacePutOptions {
  const metadata = request.headers.get("metadata");
  return {
    ...(query.has("ttl") && { expirationTtl: Number(query.get("ttl")) }),
    ...(query.has("expiration") && { expiration: Number(query.get("expiration")) }),
    ...(metadata && { metadata: JSON.parse(metadata) }),
  };
}
