import { lines } from "./lines.js";

const address = /[\w.+-]+@[\w-]+(\.[\w-]+)+/g;

export default {
  async fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    const upstream = await fetch(new Request(new URL(pathname + search, env.UPSTREAM), request));
    const response = new Response(upstream.body, upstream);
    if (!upstream.body || !upstream.headers.get("content-type")?.startsWith("text/")) return response;
    response.headers.delete("content-length");
    return new Response(redacted(upstream.body), response);
  },
};

function redacted(body) {
  return body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(lines())
    .pipeThrough(new TransformStream({
      transform(line, controller) { controller.enqueue(line.replace(address, "[redacted]")); },
    }))
    .pipeThrough(new TextEncoderStream());
}
