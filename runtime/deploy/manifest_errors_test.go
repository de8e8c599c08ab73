package deploy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/tomlfile"
)

// manifestErrors are files with what is wrong in them: "line:column: message".
func manifestErrors() map[string]struct {
	text string
	want []string
} {
	return map[string]struct {
		text string
		want []string
	}{
		"unknown, near a known one": {"kv_namespace = []\nnmae = 'x'\n[limit]\ncpu_ms = 1", []string{
			`1:1: unknown key "kv_namespace" at the top level: did you mean "kv_namespaces"?`,
			`2:1: unknown key "nmae" at the top level: did you mean "name"?`,
			`3:2: unknown key "limit" at the top level: did you mean "limits"?`,
		}},
		"unknown, unit left out": {"[limits]\nmemory = 64", []string{
			`2:1: unknown key "memory" in [limits]: did you mean "memory_mb"?`,
		}},
		"unknown, nothing near": {"frobnicate = 1\n[build]\nupload = 1", []string{
			`1:1: unknown key "frobnicate" at the top level, which may have account_id, assets, build, compatibility_date, dev, egress, env, invoke, kv_namespaces, limits, main, name, queues, ratelimits, route, routes, services, snapshot, triggers, vars, version_metadata`,
			`3:1: unknown key "upload" in [build], which may have command, cwd, watch_dir`,
		}},
		"unknown in the second element": {"[[kv_namespaces]]\nbinding = 'A'\n\n[[kv_namespaces]]\nbinding = 'B'\n  idd = 'x'", []string{
			`6:3: unknown key "idd" in [[kv_namespaces]]: did you mean "id"?`,
		}},
		"unknown in an inline table, column in characters": {`routes = ["ä.example/*", { pattern = "a.example", zon = "b" }]`, []string{
			`1:11: route "ä.example/*": host "ä.example" has 'ä'; write its ASCII form, which begins with "xn--"`,
			`1:51: unknown key "zon" in [[routes]], which may have custom_domain, enabled, pattern, zone_id, zone_name`,
		}},
		"unknown in a stage that is not asked for": {"[env.a.limits]\ncpu_msec = 1", []string{
			`2:1: unknown key "cpu_msec" in [env.a.limits]: did you mean "cpu_ms"?`,
		}},
		"Cloudflare's": {"d1_databases = []\n[[r2_buckets]]\nbinding = 'x'\n[[workflows]]\n\n[env.a.cache]\nenabled = true\n[dev]\nlocal_protocol = 'https'", []string{
			`1:1: "d1_databases" is Cloudflare's, not offered by Mayfly yet`,
			`2:3: "r2_buckets" is Cloudflare's, not offered by Mayfly yet`,
			`4:3: "workflows" is Cloudflare's, not offered by Mayfly yet`,
			`6:8: "cache" is Cloudflare's, not offered by Mayfly yet`,
			`9:1: "local_protocol" is Cloudflare's, not offered by Mayfly yet`,
		}},
		"cron triggers": {"[triggers]\ncrons = [\n'* * * * *',\n'0 0 31 2 *',\n'*  * * * *', 5]\n[env.a.triggers]\ncron = ['* * * * *']\n[env.b.triggers]\ncrons = '* * * * *'", []string{
			`4:1: cron expression "0 0 31 2 *": there is no such day`,
			`5:1: cron expression "*  * * * *" is already on line 3`,
			`5:15: entry 4 of "crons" wants a string, not 5`,
			`7:1: unknown key "cron" in [env.a.triggers]: did you mean "crons"?`,
			`9:9: "crons" wants a list of cron expressions, not a string`,
		}},
		"KV triggers": {"[[kv_namespaces]]\nbinding = 'K'\n[[triggers.kv]]\nbinding = 'K'\nprefix = 5\n[[triggers.kv]]\nbinding = 'K'\nnamespace_id = 'n'\nmax_retries = 101\n[[triggers.kv]]\nmax_concurrency = 0\n[[triggers.kv]]\nnamespace_id = 'n'\n[[triggers.kv]]\nnamespace_id = 'n'\non_failure = { queue = 'q' }\n[env.a]", []string{
			`5:10: "prefix" wants a string, not 5`,
			`8:1: "binding" and "namespace_id" stand in [[triggers.kv]]; keep one of them`,
			`9:15: "max_retries" wants a whole number from 0 to 100, not 101`,
			`10:1: entry 3 of "kv" has neither binding nor namespace_id: whose changes is it about?`,
			`11:19: "max_concurrency" wants a whole number from 1 to 100, not 0`,
			`14:1: the KV trigger of these keys is already on line 12`,
			`16:16: unknown key "queue" in [triggers.kv[4].on_failure], which may have function, kv_namespace`,
		}},
		"KV triggers of other bindings": {"[[triggers.kv]]\nbinding = 'K'\n[env.a]\n[[env.b.kv_namespaces]]\nbinding = 'K'\n[[env.b.triggers.kv]]\nbinding = 'K'\n[[env.c.triggers.kv]]\nbinding = 'K'", []string{
			`1:1: [[triggers.kv]] is about the binding "K", and there is no such one in [[kv_namespaces]]`,
			`8:7: [[triggers.kv]] is about the binding "K", and there is no such one in [[kv_namespaces]]`,
		}},
		"payloads": {"[invoke]\nretries = 3\non_failure = { function = 'a', kv_namespace = 'b' }\n[env.a.invoke]\non_failures = 1", []string{
			`2:11: "retries" wants a whole number from 0 to 2, not 3`,
			`3:32: "function" and "kv_namespace" stand in [invoke.on_failure]; keep one of them`,
			`5:1: unknown key "on_failures" in [env.a.invoke]: did you mean "on_failure"?`,
		}},
		"static files": {"[assets]\nbinding = 'A'\nhtml_handling = 'auto'\nnot_found_handling = 404\nrun_worker_first = ['api/*']\n[vars]\nA = 'b'\n[env.a.assets]\ndirectory = ''\nrun_worker_first = 'all'", []string{
			`1:1: "directory" is missing in [assets]`,
			`3:17: "html_handling" wants one of auto-trailing-slash, force-trailing-slash, drop-trailing-slash, none, not "auto"`,
			`4:22: "not_found_handling" wants one of none, single-page-application, 404-page, not 404`,
			`5:20: run_worker_first: "api/*" does not begin with / or !/`,
			`7:1: binding "A" is already the binding of the static files on line 2`,
			`9:13: "directory" wants a string, not an empty string`,
			`10:20: "run_worker_first" wants true, false, or a list of paths such as ["/api/*"], not a string`,
		}},
		"below a header by mistake": {"name = 'x'\n\n[limits]\ncpu_ms = 5\nmain = 'a.wasm'", []string{
			`5:1: "main" stands in [limits]; move it up, above the first table header on line 3`,
		}},
		"below [vars] by mistake": {"name = 'x'\n[vars]\nA = 'b'\nname = 'a variable'\nroutes = ['a.example']", []string{
			`5:1: "routes" stands in [vars]; move it up, above the first table header on line 2`,
		}},
		"of the top level, in an inline table": {"limits = { cpu_ms = 5, main = 'a' }", []string{
			`1:24: "main" stands in [limits]; it belongs at the top level`,
		}},
		"of the top level, in a stage": {"[env.a]\nmain = 'x'\ndev = { port = 1 }\n[env.b.env.c]", []string{
			`3:1: "dev" stands in [env.a]; move it up, above the first table header on line 1`,
			`4:8: "env" stands in [env.b]; it belongs at the top level`,
		}},
		"of the top level, in [env]": {"[env]\nname = 'x'\nstaging = 1", []string{
			`2:1: "name" stands in [env]; move it up, above the first table header on line 1`,
			`3:11: "staging" wants a table, not 1`,
		}},
		"of a table, at the top level": {"cpu_ms = 5\nport = 1\nallow = []\ncommand = 'x'", []string{
			`1:1: "cpu_ms" stands at the top level; it belongs in [limits]`,
			`2:1: "port" stands at the top level; it belongs in [dev]`,
			`3:1: "allow" stands at the top level; it belongs in [egress]`,
			`4:1: "command" stands at the top level; it belongs in [build]`,
		}},
		"wrong types": {"name = 5\nmain = ''\naccount_id = true\nlimits = 5\nvars = []\nkv_namespaces = {}\nroutes = 'a.example'\nenv = 1.5", []string{
			`1:8: "name" wants a string, not 5`,
			`2:8: "main" wants a string, not an empty string`,
			`3:14: "account_id" wants a string, not true`,
			`4:10: "limits" wants a table, not 5`,
			`5:8: "vars" wants a table, not a list`,
			`6:17: "kv_namespaces" wants a list of tables, not a table`,
			`7:10: "routes" wants a list of routes, not a string`,
			`8:7: "env" wants a table of stages, not 1.5`,
		}},
		"limits": {"[limits]\ncpu_ms = '5'\nsubrequests = 0\nmemory_mb = 4097\nwall_ms = 1.5\nurl_kb = []\nheaders_kb = {}\nresponse_mb = -1\nrequest_body_mb = 2000", []string{
			`2:10: "cpu_ms" wants a whole number from 1 to 300000, not a string`,
			`3:15: "subrequests" wants a whole number from 1 to 10000, not 0`,
			`4:13: "memory_mb" wants a whole number from 1 to 4096, not 4097`,
			`5:11: "wall_ms" wants a whole number from 1 to 900000, not 1.5`,
			`6:10: "url_kb" wants a whole number from 1 to 16, not a list`,
			`7:14: "headers_kb" wants a whole number from 1 to 128, not a table`,
			`8:15: "response_mb" wants a whole number from 1 to 1024, not -1`,
			`9:19: "request_body_mb" wants a whole number from 1 to 1024, not 2000`,
		}},
		"dates": {"compatibility_date = 2025-01-31\n[env.a]\ncompatibility_date = '2025-13-01'\n[env.b]\ncompatibility_date = ''", []string{
			`1:22: "compatibility_date" wants a date in quotes such as "2025-01-31", not a date without quotes`,
			`3:22: "compatibility_date" wants a date in quotes such as "2025-01-31", not "2025-13-01"`,
			`5:22: "compatibility_date" wants a date in quotes such as "2025-01-31", not an empty string`,
		}},
		"names": {"name = 'Hello_World'\n[env.a]\nname = '-a'", []string{
			`1:8: name "Hello_World" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`,
			`3:8: name "-a" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`,
		}},
		"name of a stage": {"name = 'shop'\n[env.Prod]", []string{
			`2:6: in this stage, name "shop-Prod" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last; give it a name of its own`,
		}},
		"namespaces": {"kv_namespaces = [\n  5,\n  { id = 'a b' },\n  { binding = '1A' },\n  { binding = 'A', preview_id = 5 },\n  { binding = 'B', remote = true },\n]", []string{
			`2:3: entry 1 of "kv_namespaces" wants a table, not 5`,
			`3:3: "binding" is missing in [[kv_namespaces]]`,
			`3:10: "id" wants at most 64 letters, digits, dashes and underscores, not "a b"`,
			`4:15: binding "1A" is not an identifier: letters, digits and underscores, no digit first`,
			`5:33: "preview_id" wants a string, not 5`,
			`6:20: "remote" is Cloudflare's, not offered by Mayfly yet`,
		}},
		"services": {"[[services]]\nservice = 'auth'\n[[services]]\nbinding = 'A'\n[[services]]\nbinding = 'B'\nservice = 'Not a name'\nentrypoint = 'E'\n[[services]]\nbinding = 'B'\nservice = 'a'", []string{
			`1:1: "binding" is missing in [[services]]`,
			`3:1: "service" is missing in [[services]]`,
			`7:11: name "Not a name" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`,
			`8:1: "entrypoint" is Cloudflare's, not offered by Mayfly yet`,
			`10:11: binding "B" is already the service on line 6`,
		}},
		"queues": {"[queues]\nproducers = [{ binding = 'Q' }, { binding = 'Q', queue = 'A b', delivery_delay = 86401 }]\n[[queues.consumers]]\nmax_batch_size = 0\ntype = 'pull'\n[[queues.consumers]]\nqueue = 'a'\ndead_letter_queue = 'a'\n[[queues.consumers]]\nqueue = 'a'\nmax_batch = 1", []string{
			`2:14: "queue" is missing in [[queues.producers]]`,
			`2:45: binding "Q" is already the queue on line 2`,
			`2:58: name "A b" is not 1 to 63 lower-case letters, digits and dashes with no dash first or last`,
			`2:82: "delivery_delay" wants a whole number from 0 to 86400, not 86401`,
			`3:1: "queue" is missing in [[queues.consumers]]`,
			`4:18: "max_batch_size" wants a whole number from 1 to 100, not 0`,
			`5:8: "type" wants "worker" or "http_pull", not "pull"`,
			`7:9: queue "a" is its own dead_letter_queue; name another`,
			`10:9: queue "a" has a consumer on line 7 already`,
			`11:1: unknown key "max_batch" in [[queues.consumers]]: did you mean "max_batch_size"?`,
		}},
		"rate limits": {"ratelimits = [\n  { name = 'A', namespace_id = 'a b', simple = { limit = 0, period = 30 } },\n  { name = 'B', simple = { limit = 1 } },\n  { namespace_id = 1 },\n]", []string{
			`2:32: "namespace_id" wants at most 64 letters, digits, dashes and underscores, not "a b"`,
			`2:58: "limit" wants a whole number from 1 to 1000000000, not 0`,
			`2:70: "period" wants 10 or 60, in seconds, not 30`,
			`3:3: "namespace_id" is missing in [[ratelimits]]`,
			`3:26: "period" is missing in [ratelimits[1].simple]`,
			`4:3: "name" is missing in [[ratelimits]]`,
			`4:3: "simple" is missing in [[ratelimits]]`,
			`4:20: "namespace_id" wants a string, not 1`,
		}},
		"version metadata": {"[version_metadata]\n[vars]\nV = 'x'\n[env.a.vars]\nV = 'x'\n[env.a.version_metadata]\nbinding = 'V'", []string{
			`1:1: "binding" is missing in [version_metadata]`,
			`7:11: binding "V" is already the variable on line 5`,
		}},
		"bindings given twice": {"[[kv_namespaces]]\nbinding = 'A'\n[[kv_namespaces]]\nbinding = 'A'\n[vars]\nA = 1\n[env.a.vars]\nA = 1", []string{
			`4:11: binding "A" is already the KV namespace on line 2`,
			`6:1: binding "A" is already the KV namespace on line 2`,
		}},
		"variables": {"[vars]\n\"B-C\" = 2\nD = 2025-01-31\nE = nan\nF = { d = [1, inf], e = 12:00:00 }\nG = \"\\u0000\"", []string{
			`2:1: binding "B-C" is not an identifier: letters, digits and underscores, no digit first`,
			`3:5: "D" is a date, which JSON does not have; write it in quotes`,
			`4:5: "E" is NaN, which JSON does not have`,
			`5:15: entry 2 of "d" is +Inf, which JSON does not have`,
			`5:25: "e" is a date, which JSON does not have; write it in quotes`,
			`6:5: variable "G" has a zero byte, which would end it early in an environment`,
		}},
		"variable too long": {"vars.A = '" + strings.Repeat("a", 5121) + "'\nvars.B = ['" + strings.Repeat("a", 5117) + "']\nvars.C = '" + strings.Repeat("a", 5120) + "'", []string{
			`1:10: variable "A" has 5121 bytes, and at most 5120 are allowed`,
			`2:10: variable "B" has 5121 bytes, and at most 5120 are allowed`,
		}},
		"too many variables": {manyVars("vars.A%d = ''\n", 130), []string{
			`129:6: variable 129; at most 128 are allowed`,
		}},
		"routes": {"routes = [\n 'a.example/*',\n { pattern = 'A.example/*' },\n {},\n 5,\n 'a.example/*/b',\n { pattern = 5 },\n { pattern = 'a.example/b', custom_domain = true },\n { pattern = 'b.example', custom_domain = 1, previews_enabled = false, enabled = 0 }\n]", []string{
			`3:14: route "a.example/*" is already on line 2`,
			`4:2: "pattern" is missing in [[routes]]`,
			`5:2: entry 4 of "routes" wants a route pattern, not 5`,
			`6:2: route "a.example/*/b": "*" in the path may only stand at its end; write "a.example/*"`,
			`7:14: "pattern" wants a route pattern, not 5`,
			`8:14: a custom domain is a host without path and wildcards, not "a.example/b"`,
			`9:43: "custom_domain" wants true or false, not 1`,
			`9:46: "previews_enabled" is Cloudflare's, not offered by Mayfly yet`,
			`9:82: "enabled" wants true or false, not 0`,
		}},
		"route and routes": {"routes = []\nroute = 'a.example'\n[env.a]\nroute = 'a.example'\nroutes = []", []string{
			`2:1: "routes" and "route" stand at the top level; keep one of them`,
			`5:1: "route" and "routes" stand in [env.a]; keep one of them`,
		}},
		"build": {"[build]\ncommand = []\nwatch_dir = ['a', 5]\ncwd = ''\n[env.a.build]\nwatch_dir = 5", []string{
			`2:11: "command" wants a string, not a list`,
			`3:19: entry 2 of "watch_dir" wants a string, not 5`,
			`4:7: "cwd" wants a string, not an empty string`,
			`6:13: "watch_dir" wants a list of folders, not 5`,
		}},
		"dev": {"[dev]\nip = 'nohost'\nport = 70000", []string{
			`2:6: "ip" wants an address such as "127.0.0.1", or "localhost", not "nohost"`,
			`3:8: "port" wants a whole number from 1 to 65535, not 70000`,
		}},
		"egress": {"[egress]\nallow = ['https://a.example', 5, '*', 'a.example:80']\n[env.a]\negress = {}", []string{
			`2:10: entry 1 of "allow" wants a host, or "*." and a domain: host "https://a.example" is a URL or a path; write the host alone`,
			`2:31: entry 2 of "allow" wants a string, not 5`,
			`2:34: entry 3 of "allow" wants a host, or "*." and a domain: host "*" has '*', which cannot stand in a host`,
			`2:39: entry 4 of "allow" wants a host, or "*." and a domain: host "a.example:80" has a port; write "a.example", which matches every port`,
			`4:10: "allow" is missing in [env.a.egress]`,
		}},
		"syntax at the end":     {"name = ", []string{`1:7: unexpected EOF; expected value`}},
		"syntax in a string":    {"# comment\nname = \"a\nb\"", []string{`2:10: strings cannot contain newlines`}},
		"key twice":             {"name = 'a'\nname = 'b'", []string{`2:1: Key 'name' has already been defined`}},
		"table twice":           {"[limits]\n[limits]", []string{`2:2: Key 'limits' has already been defined`}},
		"not UTF-8":             {"name = 'é\xff'", []string{`1:10: the byte 0xff is not UTF-8`}},
		"UTF-16":                {"\xff\xfen\x00", []string{`1:1: the byte 0xff is not UTF-8`}},
		"byte order mark":       {"\ufeffnmae = 'x'", []string{`1:1: unknown key "nmae" at the top level: did you mean "name"?`}},
		"line ends of Windows":  {"name = 'x'\r\n\r\nnmae = 'x'\r\n", []string{`3:1: unknown key "nmae" at the top level: did you mean "name"?`}},
		"nested too deep":       {"a = 1\nb = " + strings.Repeat("[", 33), []string{`2:37: this is nested more than 32 levels deep`}},
		"dotted too deep":       {strings.Repeat("a.", 40) + "a = 1", []string{`1:65: this is nested more than 32 levels deep`}},
		"too long":              {strings.Repeat("#", 1<<20+1), []string{`1:1: the file has 1048577 bytes, and at most 1048576 are allowed`}},
		"many brackets":         {strings.Repeat("a={", 1<<18), []string{`1:97: this is nested more than 32 levels deep`}},
		"first twenty are told": {"routes = [" + strings.Repeat("1,\n", 1000) + "]", twentyRoutes()},
	}
}

func manyVars(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func twentyRoutes() []string {
	want := []string{`1:11: entry 1 of "routes" wants a route pattern, not 1`}
	for i := 2; i <= 20; i++ {
		want = append(want, fmt.Sprintf(`%d:1: entry %d of "routes" wants a route pattern, not 1`, i, i))
	}
	return want
}

func TestManifestErrors(t *testing.T) {
	for name, tt := range manifestErrors() {
		t.Run(name, func(t *testing.T) {
			m, err := deploy.ParseManifest("mayfly.toml", []byte(tt.text), "")
			if err == nil {
				t.Fatal("got no error")
			}
			if m != nil {
				t.Errorf("got a manifest beside the error")
			}
			want := "mayfly.toml:" + strings.Join(tt.want, "\nmayfly.toml:")
			if err.Error() != want {
				t.Errorf("got\n%v\nwant\n%s", err, want)
			}
		})
	}
}

func TestManifestUnknownStage(t *testing.T) {
	_, err := deploy.ParseManifest("mayfly.toml", []byte("main = 5\n[env.b]\n[env.a]\n"), "c")
	want := `mayfly.toml:1:8: "main" wants a string, not 5
mayfly.toml:2:2: there is no stage "c"; the file has a, b`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestErrorHasItsPlace(t *testing.T) {
	_, err := deploy.ParseManifest("a.toml", []byte("\n  x = 1"), "")
	var fileErr *tomlfile.Error
	if !errors.As(err, &fileErr) {
		t.Fatalf("got %T, want a *tomlfile.Error in it", err)
	}
	if fileErr.File != "a.toml" || fileErr.Line != 2 || fileErr.Column != 3 {
		t.Errorf("got %+v", fileErr)
	}
}
