export default {
  async fetch(request, env) {
    const answer = await env.AUTH.fetch("http://auth/whoami", { headers: { authorization: request.headers.get("authorization") ?? "" } });
    if (!answer.ok) return Response.json({ error: "show a token" }, { status: 401, headers: { "www-authenticate": "Bearer" } });
    return Response.json({ user: await answer.text() });
  },
};
