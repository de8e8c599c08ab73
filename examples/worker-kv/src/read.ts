type Type = "text" | "json" | "arrayBuffer" | "stream";

// read answers with one value; with metadata, as JSON of both.
export async function read(store: KVNamespace, key: string, query: URLSearchParams): Promise<Response> {
  const type = (query.get("type") ?? "stream") as Type;
  if (query.has("metadata")) {
    const { value, metadata } = await store.getWithMetadata(key, { type: type === "json" ? "json" : "text" });
    return Response.json({ value, metadata }, { status: value === null ? 404 : 200 });
  }
  const value: any = await (query.has("cacheTtl") ? store.get(key, { type, cacheTtl: Number(query.get("cacheTtl")) } as any) : store.get(key, type as any));
  if (value === null) return Response.json({ error: "there is no such key" }, { status: 404 });
  return type === "json" ? Response.json(value) : new Response(value);
}

// readAll answers with the values of up to 100 keys.
export async function readAll(store: KVNamespace, query: URLSearchParams): Promise<Response> {
  const keys = query.getAll("key"), type = query.get("type") === "json" ? "json" : "text";
  const values: Map<string, unknown> = query.has("metadata") ? await store.getWithMetadata(keys, type as any) : await store.get(keys, { type } as any);
  return Response.json(Object.fromEntries(values));
}

export async function listing(store: KVNamespace, query: URLSearchParams): Promise<Response> {
  const page = await store.list({ prefix: query.get("prefix"), limit: Number(query.get("limit") ?? 1000), cursor: query.get("cursor") });
  return Response.json({ keys: page.keys, cursor: page.list_complete ? null : page.cursor });
}
