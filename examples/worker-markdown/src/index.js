import { marked } from "marked";
import readme from "../README.md";

export default {
  async fetch(request) {
    switch (request.method) {
      case "GET":
        return html(readme);
      case "POST":
        return html(await request.text());
    }
    return new Response("use GET or POST\n", { status: 405, headers: { allow: "GET, POST" } });
  },
};

// HTML in the Markdown goes through: render what you trust, or clean the result.
function html(text) {
  return new Response(marked.parse(text), { headers: { "content-type": "text/html; charset=utf-8" } });
}
