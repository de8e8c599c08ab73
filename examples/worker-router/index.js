import { Router, problem } from "./router.js";

const router = new Router()
  .get("/", () => new Response("try /hello/you\n"))
  .get("/hello/:name", ({ env, params }) => Response.json({ greeting: `${env.GREETING}, ${params.name}!` }))
  .post("/sum", async ({ request }) => {
    const numbers = await request.json();
    if (!Array.isArray(numbers) || !numbers.every(Number.isFinite)) return problem(400, "send an array of numbers");
    return Response.json({ sum: numbers.reduce((a, b) => a + b, 0) });
  });

export default {
  async fetch(request, env, ctx) {
    try {
      const response = await router.route(request, env, ctx);
      response.headers.set("x-powered-by", "thirty lines");
      return response;
    } catch (e) {
      if (e instanceof SyntaxError) return problem(400, "that is not JSON");
      throw e;
    }
  },
};
