package runtime_test

import (
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
)

// Regular expressions that begin with ^ match what they did before they were told not
// to look any further.
func TestAnchoredRegExp(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	s := mustPrepare(t, mustLoad(t, r, mustProgram(t, worker(`
    const results = [
      /^a/.exec("ba"), /^a/.exec("ab")?.index, /^/.exec("x")?.index, /^a/m.exec("b\na")?.index, /^a|b/.exec("cb")?.index, /(?:^a)?b/.exec("cb")?.index,
      /(^a)|c/.exec("bc")?.index, /^a/g[Symbol.replace]("aa", "x"), "aXa".replace(/^a/g, "-"), "a\na".replace(/^a/gm, "-"), "aab".split(/^a/).length,
      [..."aab".matchAll(/^a/g)].length, /^\u{1f600}/u.test("\u{1f600}"), /^é/i.test("É"), /^a$/.test("a\n"), new RegExp("^" + "b").test("ab"), /^(?<x>b)/.exec("bc").groups.x,
    ];
    const sticky = /^a/y, global = /^a/g;
    sticky.lastIndex = global.lastIndex = 1;
    results.push(sticky.test("aa"), global.test("aa"), global.lastIndex, /(?<=^a)b/.exec("ab")?.index, /(?!^)a/.exec("aa")?.index);
    return new Response(results.map(String).join());`))), host.Limits{})
	const want = ",0,0,2,1,1,1,xa,-Xa,-\n-,2,1,true,true,false,false,b,false,false,0,1,1"
	if got := ask(t, s, "/", host.Limits{}); string(got.Body) != "null"+want {
		t.Errorf("got %q, %v, want %q", got.Body, got.err, "null"+want)
	}
}

// One that can't match costs the same however long the text is.
func TestAnchoredRegExpLooksOnce(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	s := mustPrepare(t, mustLoad(t, r, mustProgram(t, module("index.js", `const long = "a".repeat(1 << 20);
export default { fetch(request) { return new Response(String(/^b/.test(request.url.endsWith("long") ? long : "a"))); } };`))), host.Limits{})
	short, long := ask(t, s, "/short", host.Limits{}), ask(t, s, "/long", host.Limits{})
	if string(short.Body) != "false" || string(long.Body) != "false" {
		t.Fatalf("got %q, %v and %q, %v", short.Body, short.err, long.Body, long.err)
	}
	if long.usage.Units > short.usage.Units+10_000 {
		t.Errorf("%d units for a long text, %d for a short one", long.usage.Units, short.usage.Units)
	}
}
