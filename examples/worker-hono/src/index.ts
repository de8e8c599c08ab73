import { Hono } from "hono";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { tasks } from "./tasks";

const app = new Hono<{ Bindings: { GREETING: string } }>();

app.use("*", cors());
app.use("*", async (c, next) => {
  const began = performance.now();
  await next();
  c.header("server-timing", `worker;dur=${(performance.now() - began).toFixed(1)}`);
});

app.get("/hello/:name", c => c.text(`${c.env.GREETING}, ${c.req.param("name")}!\n`));
app.route("/tasks", tasks);

app.notFound(c => c.json({ error: `nothing at ${c.req.path}` }, 404));
app.onError((e, c) => {
  if (e instanceof HTTPException) return c.json({ error: e.message }, e.status);
  console.error(e);
  return c.json({ error: "something went wrong" }, 500);
});

export default app;
