package runtime_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime"
)

// patternWorker checks each vector, as the web platform tests describe them.
const patternWorker = `
import vectors from "./vectors.json";
const parts = ["protocol", "username", "password", "hostname", "port", "pathname", "search", "hash"];
const earlier = { protocol: [], hostname: ["protocol"], port: ["protocol", "hostname"], username: [], password: [], pathname: ["protocol", "hostname", "port"],
  search: ["protocol", "hostname", "port", "pathname"], hash: ["protocol", "hostname", "port", "pathname", "search"] };
const failures = [];
const show = v => JSON.stringify(v, (_, x) => x === undefined ? null : x);

function attempt(run) {
  try { return run(); } catch (e) { return e instanceof TypeError ? "error" : "threw " + e; }
}

// wantedPart is how the pattern of a part is shown, where the vector does not say.
function wantedPart(v, name) {
  const given = v.pattern[0], base = given?.baseURL ?? (typeof v.pattern[1] === "string" ? v.pattern[1] : null);
  if (v.exactly_empty_components?.includes(name)) return "";
  if (typeof given === "object" && given[name]) return given[name];
  if (typeof given === "object" && earlier[name].some(n => n in given)) return "*";
  if (base === null || name === "username" || name === "password") return "*";
  const value = new URL(base)[name];
  return name === "protocol" ? value.slice(0, -1) : name === "search" || name === "hash" ? value.slice(1) : value;
}

function check(v) {
  const fail = (what, got, want) => { if (show(got) !== show(want)) failures.push(show(v.pattern) + " " + show(v.inputs) + " " + what + ": got " + show(got) + ", want " + show(want)); };
  const pattern = attempt(() => new URLPattern(...v.pattern));
  if (v.expected_obj === "error") return fail("constructor", pattern instanceof URLPattern ? "a pattern" : pattern, "error");
  if (!(pattern instanceof URLPattern)) return fail("constructor", pattern, "a pattern");
  for (const name of parts) fail(name, pattern[name], v.expected_obj?.[name] ?? wantedPart(v, name));
  const got = attempt(() => pattern.exec(...v.inputs)), want = v.expected_match;
  if (want === "error") return fail("exec", got, "error");
  fail("test", attempt(() => pattern.test(...v.inputs)), Boolean(want));
  if (!want || !got) return fail("exec", got, want);
  fail("inputs", got.inputs, want.inputs ?? v.inputs);
  for (const name of parts) {
    const groups = v.exactly_empty_components?.includes(name) ? {} : { 0: "" };
    fail("exec of " + name, got[name], want[name] ?? { input: "", groups });
  }
}

export default { fetch() {
  const list = vectors.filter(v => typeof v === "object");
  list.forEach(check);
  return Response.json({ n: list.length, failures });
} };`

// differing are vectors on which we differ, by how their failure begins: the engine
// does not know sets in regular expressions, nor what the flag v forbids.
var differing = []string{`[{"pathname":"/(\\m)"}]`, `[{"pathname":"/([[a-z]--a])"}]`, `[{"pathname":"/([\\d&&[0-1]])"}]`}

// The vectors of the web platform tests, of a checkout that WPT_DIR names.
func TestWorkerURLPatternVectors(t *testing.T) {
	folder := os.Getenv("WPT_DIR")
	if folder == "" {
		t.Skip("WPT_DIR does not name a checkout of the web platform tests")
	}
	data, err := os.ReadFile(filepath.Join(folder, "urlpattern", "resources", "urlpatterntestdata.json"))
	if err != nil {
		t.Fatal(err)
	}
	r := mustRuntime(t, runtime.Config{})
	m := mustLoad(t, r, mustProgram(t, module("index.js", patternWorker), js.Source{Name: "vectors.json", Type: js.TypeJSON, Data: data}))
	got := ask(t, mustPrepare(t, m, host.Limits{}), "/", host.Limits{})
	checkVectors(t, got, differing)
}
