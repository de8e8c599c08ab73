package runtime_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime"
)

// publicVectors reads public test vectors, of the folder that MAYFLY_VECTORS names.
func publicVectors(t *testing.T, name string) []byte {
	t.Helper()
	folder := os.Getenv("MAYFLY_VECTORS")
	if folder == "" {
		t.Skip("MAYFLY_VECTORS does not name the folder of public test vectors")
	}
	data, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// changedSince are vectors that the standard contradicts by now, as failures begin with
// them: hosts that end in a number are IPv4 addresses or failures, control characters
// are forbidden, and ^ is encoded in paths.
var changedSince = []string{
	`["http://0..0x300/`, `["http://256.256.256.256.256`, `["http://0177.0.0.0189`, `["http://\u001f!`,
	`["foo://host/ !`, `["wss://host/ !`, `set pathname of a:/ to "\u0000`,
}

// The vectors of the web platform tests, which run in a Worker.
func TestWorkerURLVectors(t *testing.T) {
	const source = `
import parsing from "./urltestdata.json";
import setting from "./setters_tests.json";
import hosts from "./toascii.json";
const parts = ["href", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash", "origin"];
const failures = [];
const check = (what, wanted, got) => { if (wanted !== got) failures.push(what + ": got " + JSON.stringify(got) + ", want " + JSON.stringify(wanted)); };
let n = 0;
function parse(test) {
  const what = JSON.stringify([test.input, test.base]);
  let url;
  try {
    url = test.base === null ? new URL(test.input) : new URL(test.input, test.base);
  } catch (e) {
    return check(what, test.failure ?? false, true);
  }
  check(what, test.failure ?? false, false);
  if (test.failure) return;
  for (const part of parts) if (part in test) check(what + " " + part, test[part], url[part]);
}
function set(part, test) {
  const url = new URL(test.href);
  url[part] = test.new_value;
  for (const [name, wanted] of Object.entries(test.expected)) check("set " + part + " of " + test.href + " to " + JSON.stringify(test.new_value) + ", " + name, wanted, url[name]);
}
function host(test) {
  let got = null;
  try { got = new URL("https://" + test.input + "/x").host; } catch {}
  check("host " + JSON.stringify(test.input), test.output, got);
}
export default { fetch() {
  const each = (list, f) => { for (const test of list) if (typeof test === "object") { n++; f(test); } };
  each(parsing, parse);
  for (const part of parts) each(setting[part] ?? [], test => set(part, test));
  each(hosts, host);
  return Response.json({ n, failures });
} };`
	modules := []js.Source{module("index.js", source)}
	for _, name := range []string{"urltestdata.json", "setters_tests.json", "toascii.json"} {
		modules = append(modules, js.Source{Name: name, Type: js.TypeJSON, Data: publicVectors(t, "url/"+name)})
	}
	r := mustRuntime(t, runtime.Config{})
	got := ask(t, mustPrepare(t, mustLoad(t, r, mustProgram(t, modules...)), host.Limits{}), "/", host.Limits{})
	checkVectors(t, got, changedSince)
}

// checkVectors checks a Worker's report of public vectors: of those that failed, each
// begins with one of known.
func checkVectors(t *testing.T, got result, known []string) {
	t.Helper()
	var report struct {
		N        int
		Failures []string
	}
	if err := json.Unmarshal(got.Body, &report); err != nil {
		t.Fatal(err, got.err)
	}
	for _, f := range report.Failures {
		if !slices.ContainsFunc(known, func(begin string) bool { return strings.HasPrefix(f, begin) }) {
			t.Error(f)
		}
	}
	t.Logf("%d vectors, %d failures", report.N, len(report.Failures))
}
