// Router finds the handler of a request by its method and path. Paths have
// parameters, as in /users/:id.
export class Router {
  #routes = [];

  on(method, path, handler) {
    const names = [];
    const source = path.replace(/:(\w+)/g, (_, name) => {
      names.push(name);
      return "([^/]+)";
    });
    this.#routes.push({ method, pattern: new RegExp(`^${source}$`), names, handler });
    return this;
  }

  get(path, handler) { return this.on("GET", path, handler); }
  post(path, handler) { return this.on("POST", path, handler); }

  async route(request, env, ctx) {
    const { pathname } = new URL(request.url);
    const allowed = new Set();
    for (const { method, pattern, names, handler } of this.#routes) {
      const match = pattern.exec(pathname);
      if (!match) continue;
      allowed.add(method);
      if (method !== request.method) continue;
      const params = Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(match[i + 1])]));
      return handler({ request, env, ctx, params });
    }
    if (allowed.size > 0) return problem(405, "method not allowed", { allow: [...allowed].join(", ") });
    return problem(404, `there is nothing at ${pathname}`);
  }
}

export function problem(status, message, headers) {
  return Response.json({ error: message }, { status, headers });
}
