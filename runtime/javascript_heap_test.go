package runtime_test

import (
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
)

// allocator fills and empties the heap with objects of all sizes, each of which can be
// told from all others, and finds them as they were.
const allocator = `
let seed = 1;
const random = n => (seed = (seed * 48271) % 2147483647) % n;
const text = (i, n) => String.fromCharCode(97 + i % 26).repeat(n) + i;
const kinds = [
  (i, n) => ({ make: text(i, n), check: v => v === text(i, n) }),
  (i, n) => ({ make: Array.from({ length: n }, (_, k) => k + i), check: v => v.length === n && v.every((x, k) => x === k + i) }),
  (i, n) => ({ make: new Uint8Array(n).fill(i), check: v => v.length === n && v.every(x => x === (i & 255)) }),
  (i, n) => ({ make: Object.fromEntries(Array.from({ length: n % 50 }, (_, k) => ["k" + k, i + k])), check: v => Object.values(v).every((x, k) => x === i + k) }),
  (i, n) => ({ make: new Map(Array.from({ length: n % 90 }, (_, k) => [k, text(i, k)])), check: v => [...v].every(([k, x]) => x === text(i, k)) }),
  (i, n) => ({ make: [text(i, n)], check: v => v[0] === text(i, n) }),
];
const kept = [];
function churn(times) {
  let wrong = 0;
  for (let i = 0; i < times; i++) {
    const size = [20, 200, 600, 5000][random(4)], one = kinds[random(kinds.length)](i, random(size));
    if (kept.length > 60) {
      const at = random(kept.length), { make, check } = kept[at];
      if (!check(make)) wrong++;
      kept[at] = one;
    } else kept.push(one);
    if (Array.isArray(one.make) && typeof one.make[0] === "number" && random(3) === 0) { // grows and shrinks
      const n = one.make.length;
      for (let k = 0; k < 700; k++) one.make.push(k);
      one.make.length = n;
    }
  }
  return wrong + kept.filter(({ make, check }) => !check(make)).length;
}
let s = "";
for (let i = 0; i < 3000; i++) s += i;
const loaded = churn(400) + (JSON.parse(JSON.stringify(s)) === s ? 0 : 1);
export default { fetch() { return new Response(loaded + " " + churn(500) + " " + kept.length); } };`

// The heap gives each object its own memory, while a Worker loads and in each request.
func TestHeap(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	s := mustPrepare(t, mustLoad(t, r, mustProgram(t, module("index.js", allocator))), host.Limits{})
	for i := range 2 {
		if got := ask(t, s, "/", host.Limits{}); string(got.Body) != "0 0 61" {
			t.Errorf("request %d: got %q, %v", i, got.Body, got.err)
		}
	}
}
