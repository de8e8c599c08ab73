// URLPattern: what users do with it. The public vectors are for the rest.
import suite, { test, equal, throws } from "./harness.js";
export default suite;

test("routes", () => {
  const books = new URLPattern({ pathname: "/books/:id(\\d+)/:rest*" });
  const found = books.exec("https://example.com/books/12/a/b?q=1");
  equal(found.pathname.groups, { id: "12", rest: "a/b" });
  equal(found.search.groups, { 0: "q=1" });
  equal(found.inputs, ["https://example.com/books/12/a/b?q=1"]);
  equal([books.test("https://example.com/books/x"), books.test({ pathname: "/books/1" }), books.test("no URL")], [false, true, false]);
  equal(books.hasRegExpGroups, true);
});

test("whole URLs and bases", () => {
  const p = new URLPattern("https://*.example.com/:file.:type(png|jpg)");
  equal(p.exec("https://cdn.example.com/cat.png").pathname.groups, { file: "cat", type: "png" });
  equal([p.protocol, p.hostname, p.port, p.search], ["https", "*.example.com", "", "*"]);
  equal(new URLPattern("/a/*", "https://example.com").test("/a/b", "https://example.com"), true);
  equal(new URLPattern("/A", "https://example.com", { ignoreCase: true }).test("https://example.com/a"), true);
  equal(new URLPattern({ hostname: "münchen.example" }).hostname, "xn--mnchen-3ya.example");
  equal(new URLPattern().test("https://example.com/"), true);
});

test("refused patterns", () => {
  throws(() => new URLPattern("/a"), "TypeError", "base URL");
  throws(() => new URLPattern({ pathname: "/:a/:a" }), "TypeError", "two groups");
  throws(() => new URLPattern({ pathname: "/(" }), "TypeError");
  throws(() => new URLPattern({ pathname: "/{a" }), "TypeError");
  throws(() => new URLPattern({ pathname: "/([)" }), "TypeError");
  throws(() => new URLPattern({ port: "x" }), "TypeError");
  throws(() => new URLPattern({ pathname: "/" }, "https://example.com"), "TypeError");
});
