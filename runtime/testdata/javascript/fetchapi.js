import { test, equal, rejects, throws } from "./harness.js";
export { default } from "./harness.js";

test("headers are case-insensitive, joined and sorted", () => {
  const h = new Headers([["B", "1"], ["a", " x\t"], ["b", "2"]]);
  equal(h.get("B"), "1, 2");
  equal(h.get("A"), "x");
  h.append("set-cookie", "s=1");
  h.append("Set-Cookie", "t=2");
  equal(JSON.stringify([...h]), '[["a","x"],["b","1, 2"],["set-cookie","s=1"],["set-cookie","t=2"]]');
  equal([...h.keys()].join(), "a,b,set-cookie,set-cookie");
  h.set("b", "3");
  h.delete("A");
  equal(h.has("a"), false);
  equal(h.get("b"), "3");
  equal(new Headers({ x: 1 }).get("x"), "1");
  equal(new Headers(h).get("b"), "3");
  equal(String(h), "[object Headers]");
});

test("headers that are refused", () => {
  for (const name of ["", "a b", "a:", "é"]) throws(() => new Headers([[name, "x"]]), "TypeError");
  for (const value of ["a\nb", "a\0", "\u0100"]) throws(() => new Headers({ a: value }), "TypeError");
  throws(() => new Headers([["a"]]), "TypeError");
  throws(() => new Headers("a"), "TypeError");
});

test("responses", async () => {
  const r = new Response("text", { status: 201, statusText: "Made", headers: { a: "b" } });
  equal([r.status, r.statusText, r.ok, r.type, r.redirected, r.url].join(), "201,Made,true,default,false,");
  equal(r.headers.get("content-type"), "text/plain;charset=UTF-8");
  equal(await r.text(), "text");
  equal(r.bodyUsed, true);
  equal(new Response(null, { status: 204 }).body, null);
  throws(() => new Response("x", { status: 204 }), "TypeError", "null body status");
  throws(() => new Response(null, { status: 99 }), "RangeError");
  throws(() => new Response(null, { status: 600 }), "RangeError");
  throws(() => new Response(null, { statusText: "a\n" }), "TypeError");
  const json = Response.json({ a: 1 }, { status: 202 });
  equal(json.headers.get("content-type"), "application/json");
  equal((await json.json()).a, 1);
  equal(Response.redirect("https://a/b", 301).headers.get("location"), "https://a/b");
  throws(() => Response.redirect("https://a/b", 200), "RangeError");
  throws(() => Response.redirect("nowhere"), "TypeError");
  equal(Response.error().type, "error");
});

test("types of bodies", async () => {
  const cases = [
    [new Uint8Array([104, 105]), "hi", null],
    [new Uint8Array([120, 104, 105]).subarray(1), "hi", null],
    [new DataView(new Uint8Array([104, 105]).buffer), "hi", null],
    [new Blob(["hi"], { type: "text/x" }), "hi", "text/x"],
    [new URLSearchParams({ a: "b c" }), "a=b+c", "application/x-www-form-urlencoded;charset=UTF-8"],
    [new ReadableStream({ start(c) { c.enqueue(new Uint8Array([104])); c.enqueue(new Uint8Array([105])); c.close(); } }), "hi", null],
    [12, "12", "text/plain;charset=UTF-8"],
    ["", "", "text/plain;charset=UTF-8"],
  ];
  for (const [body, text, type] of cases) {
    const r = new Response(body);
    equal(r.headers.get("content-type"), type);
    equal(await r.clone().text(), text);
    equal(fromBytes(await r.clone().arrayBuffer()), text);
    equal(fromBytes((await r.bytes()).buffer), text);
    await rejects(r.text(), "TypeError", "already been used");
    throws(() => r.clone(), "TypeError");
  }
});
const fromBytes = buffer => new TextDecoder().decode(buffer);

test("the body as a stream", async () => {
  const r = new Response("some text");
  const reader = r.body.getReader();
  await rejects(r.text(), "TypeError", "locked");
  equal(new TextDecoder().decode((await reader.read()).value), "some text");
  equal((await reader.read()).done, true);
  equal(r.bodyUsed, true);
  const piped = new Response(new Response("x").body);
  equal(await piped.text(), "x");
});

test("forms", async () => {
  const form = new FormData();
  form.append("name", "vä\"lue\r\n");
  form.append("file", new File(["content\r\n--x"], "a \"b\".txt", { type: "text/plain" }));
  form.append("file", new Blob(["2"]), "two");
  const r = new Response(form);
  equal(r.headers.get("content-type").startsWith("multipart/form-data; boundary="), true);
  const back = await r.formData();
  equal(back.get("name"), "vä\"lue\r\n");
  const [one, two] = back.getAll("file");
  equal([one.name, one.type, await one.text()].join(), 'a "b".txt,text/plain,content\r\n--x');
  equal([two.name, two.size].join(), "two,1");
  const urlencoded = await new Response(new URLSearchParams("a=1&b=%C3%A9&a=2")).formData();
  equal([...urlencoded].join("|"), "a,1|b,é|a,2");
  await rejects(new Response("x").formData(), "TypeError", "Unrecognized Content-Type");
  await rejects(new Response("x", { headers: { "content-type": "multipart/form-data; boundary=y" } }).formData(), "TypeError");
  form.set("file", "3");
  form.delete("name");
  equal([...form].join(), "file,3");
});

test("requests", async () => {
  const r = new Request("https://a.example/b?c#d", { method: "post", body: "x", headers: { a: "b" }, redirect: "manual" });
  equal([r.method, r.url, r.redirect, r.headers.get("a")].join(), "POST,https://a.example/b?c#d,manual,b");
  const other = new Request(r, { headers: { c: "d" } });
  equal(other.headers.get("a"), null);
  equal(await other.text(), "x");
  equal(r.bodyUsed, true);
  equal(new Request("https://a", { method: "patch" }).method, "patch");
  throws(() => new Request("/relative"), "TypeError", "Invalid URL");
  throws(() => new Request("https://a", { method: "a b" }), "TypeError");
  throws(() => new Request("https://a", { method: "TRACE" }), "TypeError");
  throws(() => new Request("https://a", { body: "x" }), "TypeError");
  throws(() => new Request("https://a", { redirect: "never" }), "TypeError");
  throws(() => new Request(), "TypeError");
  const { signal } = new AbortController();
  equal(new Request("https://a", { signal }).signal === signal, true);
});

test("a wrong body", async () => {
  await rejects(new Response("{").json(), "SyntaxError");
  await rejects(new Response(new ReadableStream({ start(c) { c.enqueue(1); c.close(); } })).text(), "TypeError");
  await rejects(new Response(new ReadableStream({ start(c) { c.error(new RangeError("broken")); } })).text(), "RangeError", "broken");
  equal(await new Response("\ufeffbom").text(), "\ufeffbom");
});
