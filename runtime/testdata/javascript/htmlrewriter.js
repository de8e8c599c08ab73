// HTMLRewriter.
import suite, { test, equal, throws, rejects } from "./harness.js";
export default suite;

const rewrite = (html, rewriter) => rewriter.transform(new Response(html)).text();
const on = (selector, element) => new HTMLRewriter().on(selector, { element });

test("what nobody asks for stays as it is", async () => {
  const bytes = new Uint8Array([60, 80, 32, 97, 61, 39, 98, 39, 62, 255, 0, 13, 10, 60, 47, 112, 32, 62, 60, 98]); // not UTF-8, and half a tag
  const out = await on("p", () => {}).transform(new Response(bytes)).bytes();
  equal(out.toHex(), bytes.toHex());
  const page = "<!DOCTYPE html>\r\n<A HREF=x  >&amp;&bogus;</A ><br/><!-- a -- b --><script>if (a<b) '</p>'</script>";
  equal(await rewrite(page, new HTMLRewriter().on("*", { element() {}, text() {}, comments() {} }).onDocument({ doctype() {}, text() {}, comments() {}, end() {} })), page);
});

test("attributes", async () => {
  const seen = [];
  equal(await rewrite(`<a HREF=/x class='b "c"' hidden>t</a><img src=y/>`, new HTMLRewriter().on("a", { element(e) {
    seen.push(e.tagName, [...e.attributes], e.getAttribute("Href"), e.getAttribute("no"), e.hasAttribute("hidden"));
    e.setAttribute("href", "/z?a&b").removeAttribute("hidden").setAttribute("Data-New", '"1"');
  } }).on("img", { element(e) { e.setAttribute("alt", "x"); } })),
  `<a href="/z?a&b" class="b &quot;c&quot;" data-new="&quot;1&quot;">t</a><img src="y/" alt="x">`);
  equal(seen, ["a", [["href", "/x"], ["class", 'b "c"'], ["hidden", ""]], "/x", null, true]);
});

test("insertions", async () => {
  equal(await rewrite("<p>in</p>", on("p", e => {
    e.before("<1>").before("2", { html: true }).after("a").after("<b>", { html: true }).prepend("p").prepend("q").append("x").append("y");
  })), "&lt;1&gt;2<p>qpinxy</p><b>a");
  equal(await rewrite("<br>", on("br", e => { e.before("1").after("2").append("no"); })), "1<br>2");
  equal(await rewrite("<p>a<b>c</b></p>d", on("p", e => { e.setInnerContent("<i>new</i>", { html: true }); })), "<p><i>new</i></p>d");
  equal(await rewrite("<p>a<b>c</b></p>d", on("p", e => { e.replace("new"); })), "newd");
  equal(await rewrite("<p>a<b>c</b></p>d", on("p", e => { e.remove(); })), "d");
  equal(await rewrite("<p>a<b>c</b></p>d", on("p", e => { e.removeAndKeepContent(); })), "a<b>c</b>d");
  equal(await rewrite("<p class=x>a</p>", on("p", e => { e.tagName = "div"; })), `<div class="x">a</div>`);
  equal(await rewrite("<ul><li>1<li>2</ul>", on("li", e => { e.append("!"); })), "<ul><li>1<li>2!!</ul>");
});

test("end tags, texts, comments, the document", async () => {
  equal(await rewrite("<p>a</p><p>b", new HTMLRewriter().on("p", { element(e) { e.onEndTag(end => { end.before("1").after("2"); if (end.name !== "p") throw new Error(end.name); }); } })), "<p>a1</p>2<p>b");
  equal(await rewrite("<p>a &amp; b<i>c</i></p>d", new HTMLRewriter().on("p", { text(t) { if (t.text && t.lastInTextNode) t.replace(t.text.toUpperCase() + "<"); } })), "<p>A &amp;AMP; B&lt;<i>C&lt;</i></p>d");
  equal(await rewrite("<p><!--a--><!--b--></p><!--c-->", new HTMLRewriter().on("p", { comments(c) { if (c.text === "a") c.text = "new"; else c.remove(); } })), "<p><!--new--></p><!--c-->");
  const seen = [];
  equal(await rewrite("<!DOCTYPE html PUBLIC \"x\" 'y'>t<!--c-->", new HTMLRewriter().onDocument({
    doctype(d) { seen.push(d.name, d.publicId, d.systemId); },
    text(t) { seen.push(t.text); },
    comments(c) { seen.push(c.text); },
    end(e) { e.append("<end>", { html: true }); },
  })), "<!DOCTYPE html PUBLIC \"x\" 'y'>t<!--c--><end>");
  equal(seen, ["html", "x", "y", "t", "c"]);
});

test("handlers are methods, may wait, and run in order", async (request, env) => {
  class Include {
    log = [];
    async element(e) {
      this.log.push(e.tagName);
      const response = await fetch("https://upstream.example/echo");
      e.setInnerContent((await response.json()).method);
    }
  }
  const include = new Include();
  equal(await rewrite("<i></i><b></b>", new HTMLRewriter().on("i, b", include).on("b", { element(e) { include.log.push("second"); e.after("!"); } })), "<i>GET</i><b>GET</b>!");
  equal(include.log, ["i", "b", "second"]);
});

test("it streams", async () => {
  const { readable, writable } = new IdentityTransformStream(), w = writable.getWriter();
  const out = on("b", e => e.after("!")).transform(new Response(readable)).body.getReader();
  const text = async () => new TextDecoder().decode((await out.read()).value);
  w.write(new TextEncoder().encode("<p>one</p><b>x</b><i"));
  equal(await text(), "<p>one</p><b>x</b>!");
  w.write(new TextEncoder().encode(">two</i>"));
  equal(await text(), "<i>two</i>");
  w.close();
  equal((await out.read()).done, true);
});

test("responses", async () => {
  const from = new Response("<p>", { status: 201, headers: { "content-length": "3", "x-a": "b" } });
  const to = new HTMLRewriter().transform(from);
  equal([to.status, to.headers.get("x-a"), to.headers.get("content-length"), from.bodyUsed || from.body.locked], [201, "b", null, true]);
  equal(new HTMLRewriter().transform(new Response(null, { status: 204 })).status, 204);
  throws(() => new HTMLRewriter().transform("<p>"), "TypeError");
  throws(() => new HTMLRewriter().on("p:hover", {}), "TypeError", "hover");
});

test("failures", async () => {
  await rejects(rewrite("<p>", on("p", () => { throw new RangeError("mine"); })), "RangeError", "mine");
  await rejects(rewrite("<p>", on("p", async e => { e.setAttribute("a b", "c"); })), "TypeError");
  let kept;
  await rewrite("<p>", on("p", e => { kept = e; }));
  throws(() => kept.before("x"), "TypeError", "no longer valid");
  await rejects(rewrite("<br>", on("br", e => e.onEndTag(() => {}))), "TypeError", "No end tag");
  await rejects(rewrite("<i>".repeat(5000), on("b", () => {})), "TypeError", "open within each other");
});

test("a long page", async () => {
  let n = 0;
  const page = "<div><a href=x>text</a> and more</div>\n".repeat(5000);
  const out = await rewrite(page, on("a", () => { n++; }));
  equal([n, out === page], [5000, true]);
});
