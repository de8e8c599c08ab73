import { ZodError } from "zod";
import { Order } from "./order";
import { find, store } from "./store";
import { total } from "./total";

export default {
  async fetch(request, env): Promise<Response> {
    const [, collection, id] = new URL(request.url).pathname.split("/");
    if (collection !== "orders") return fail(404, "orders are at /orders");
    if (request.method === "POST" && !id) return take(request, env);
    if (request.method === "GET" && id) return show(id, env);
    return fail(405, "POST to /orders, or GET one of them");
  },
} satisfies ExportedHandler<Env>;

async function take(request: Request, env: Env): Promise<Response> {
  try {
    const order = Order.parse(await request.json());
    const id = await store(env.ORDERS, { ...order, total: total(order, env.PRICES), currency: env.CURRENCY });
    return Response.json({ id }, { status: 201, headers: { location: `/orders/${id}` } });
  } catch (e) {
    if (e instanceof ZodError) return Response.json({ issues: e.issues.map(i => `${i.path.join(".")}: ${i.message}`) }, { status: 400 });
    if (e instanceof SyntaxError || e instanceof RangeError) return fail(400, e.message);
    throw e;
  }
}

async function show(id: string, env: Env): Promise<Response> {
  const order = await find(env.ORDERS, id);
  return order ? Response.json(order) : fail(404, "there is no such order");
}

function fail(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
