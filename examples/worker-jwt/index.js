export default {
  async fetch(request, env) {
    if (!env.JWT_KEY) return new Response("the secret JWT_KEY is missing\n", { status: 503 });
    const token = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    const claims = token && await verify(token, env.JWT_KEY);
    if (!claims) return new Response("show a valid token\n", { status: 401, headers: { "www-authenticate": "Bearer" } });
    return Response.json({ hello: claims.sub });
  },
};

// verify returns the claims of a token, or null.
async function verify(token, key) {
  const [head, body, signature] = token.split(".");
  const { alg } = read(head) ?? {};
  if (alg !== "HS256" || !signature) return null;
  const secret = await crypto.subtle.importKey("raw", new TextEncoder().encode(key), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const valid = await crypto.subtle.verify("HMAC", secret, bytes(signature), new TextEncoder().encode(`${head}.${body}`));
  const claims = valid ? read(body) : null;
  return claims && !(claims.exp <= Date.now() / 1000) ? claims : null;
}

function read(part) {
  try {
    return JSON.parse(new TextDecoder().decode(bytes(part)));
  } catch {
    return null;
  }
}

function bytes(base64url) {
  const base64 = base64url.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), c => c.charCodeAt(0));
}
