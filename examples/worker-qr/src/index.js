import { renderSVG, renderUnicodeCompact } from "uqr";

export default {
  fetch(request) {
    const query = new URL(request.url).searchParams;
    const text = query.get("text"), ecc = query.get("level") ?? "M";
    if (!text) return new Response("ask for /?text=...\n", { status: 400 });
    if (text.length > 1000) return new Response("the text is longer than 1000 characters\n", { status: 400 });
    if (!["L", "M", "Q", "H"].includes(ecc)) return new Response("level is L, M, Q or H\n", { status: 400 });
    if (query.get("format") === "text") return new Response(renderUnicodeCompact(text, { ecc }) + "\n");
    return new Response(renderSVG(text, { ecc }), {
      headers: { "content-type": "image/svg+xml", "cache-control": "public, max-age=86400" },
    });
  },
};
