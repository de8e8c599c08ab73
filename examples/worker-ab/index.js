import a from "./a.html";
import b from "./b.html";

const pages = { a, b };

export default {
  fetch(request, env) {
    const known = cookieOf(request, "variant");
    const variant = Object.hasOwn(pages, known) ? known : Math.random() < env.SHARE ? "b" : "a";
    const headers = new Headers({ "content-type": "text/html; charset=utf-8", "x-variant": variant });
    if (variant !== known) headers.append("set-cookie", `variant=${variant}; Path=/; Max-Age=2592000; SameSite=Lax`);
    return new Response(pages[variant], { headers });
  },
};

function cookieOf(request, name) {
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const [key, value] = pair.trim().split("=");
    if (key === name) return value;
  }
  return undefined;
}
