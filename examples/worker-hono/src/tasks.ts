import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";

const all = [
  { id: 1, title: "Read the guide", done: true },
  { id: 2, title: "Deploy a Worker", done: false },
];

export const tasks = new Hono();

tasks.get("/", c => {
  const done = c.req.query("done");
  return c.json(done === undefined ? all : all.filter(task => String(task.done) === done));
});

tasks.get("/:id{[0-9]+}", c => {
  const task = all.find(task => task.id === Number(c.req.param("id")));
  if (!task) throw new HTTPException(404, { message: "there is no such task" });
  return c.json(task);
});

// What is pushed here is gone with the request: every request has the two above.
tasks.post("/", async c => {
  const { title } = await c.req.json().catch(() => ({}));
  if (typeof title !== "string" || title === "") throw new HTTPException(400, { message: "a task needs a title" });
  const task = { id: all.length + 1, title, done: false };
  all.push(task);
  return c.json(task, 201);
});
