package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// workers are requests to the examples in JavaScript and TypeScript.
func workers() map[string][]exchange {
	const order, title = `{"customer":"Ada","items":[{"name":"tea","count":3},{"name":"milk","count":1}]}`, `{"query":"{ books(year: 1815) { title author { name } } }"}`
	return map[string][]exchange{
		"worker-router": {{"GET", "/hello/ada%20l", "", 200, []string{`{"greeting":"Hello, ada l!"}`}}, {"POST", "/sum", "[1,2.5]", 200, []string{`{"sum":3.5}`}},
			{"POST", "/sum", "[", 400, []string{"not JSON"}}, {"GET", "/sum", "", 405, nil}, {"GET", "/none", "", 404, []string{"nothing at /none"}}},
		"worker-notes": {{"GET", "/notes", "", 200, []string{`"notes":[]`}}, {"POST", "/notes", `{"title":" "}`, 400, []string{"needs a title"}},
			{"PUT", "/notes/x", `{"title":"Milk","text":"é"}`, 204, nil}, {"GET", "/notes/x", "", 200, []string{`{"title":"Milk","text":"é"}`}},
			{"GET", "/notes", "", 200, []string{`[{"id":"x","title":"Milk"}]`}}, {"POST", "/notes", `{"title":"Tea"}`, 201, []string{`{"id":"`}},
			{"DELETE", "/notes/x", "", 204, nil}, {"GET", "/notes/x", "", 404, nil}, {"PATCH", "/notes", "", 405, nil}},
		"worker-ab":  {{"GET", "/", "", 200, []string{"<h1>The page as it "}}},
		"worker-jwt": {{"GET", "/", "", 503, []string{"JWT_KEY is missing"}}},
		"worker-hono": {{"GET", "/hello/ada", "", 200, []string{"Hello, ada!\n"}}, {"GET", "/tasks?done=true", "", 200, []string{`[{"id":1,`}},
			{"POST", "/tasks", `{"title":"Rest"}`, 201, []string{`{"id":3,"title":"Rest"`}}, {"POST", "/tasks", `{"title":"Rest"}`, 201, []string{`{"id":3,`}},
			{"GET", "/tasks/3", "", 404, []string{"no such task"}}, {"POST", "/tasks", "{", 400, []string{"needs a title"}}, {"GET", "/none", "", 404, []string{"nothing at /none"}}},
		"worker-redact": {{"POST", "/p?q=1", "write to ada@example.com\nor b@example.org", 200, []string{"POST /p?q=1 write to [redacted]\nor [redacted]"}},
			{"GET", "/missing", "", 404, []string{"GET /missing"}}, {"GET", "/moved", "", 302, nil}},
		"worker-qr": {{"GET", "/?text=https://example.com", "", 200, []string{`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 270 270">`, "M10,10h10v10h-10z"}},
			{"GET", "/?text=hi&format=text", "", 200, []string{"█▀▀▀▀▀▀▀██▀▀▀▀█▀▀▀▀▀▀▀█\n█ █▀▀▀█ █▀ ▄▀ █ █▀▀▀█ █\n"}}, {"GET", "/", "", 400, nil}, {"GET", "/?text=x&level=x", "", 400, nil}},
		"worker-graphql": {{"POST", "/", title, 200, []string{`{"data":{"books":[{"title":"Emma","author":{"name":"Jane Austen"}}]}}`}},
			{"GET", `/?query=%7Bauthor(id:%22a2%22)%7Bname,books%7Btitle%7D%7D%7D`, "", 200, []string{`{"name":"Mary Shelley","books":[{"title":"Frankenstein"}]}`}},
			{"POST", "/", `{"query":"{ nope }"}`, 400, []string{`Cannot query field`, `"line":1,"column":3`}}, {"POST", "/", "{", 400, []string{"a query is missing"}}},
		"worker-orders": {{"POST", "/orders", order, 201, []string{`{"id":"`}}, {"POST", "/orders", `{"customer":" ","items":[],"email":"x"}`, 400, []string{"customer: who is it for?", "items: an order has", "email: Invalid"}},
			{"POST", "/orders", `{"customer":"a","items":[{"name":"ale","count":1}]}`, 400, []string{"there is no ale here"}}, {"POST", "/orders", "{", 400, []string{"JSON"}}, {"GET", "/orders/x", "", 404, nil}},
		"worker-react": {{"GET", "/?name=%3CAda%3E", "", 200, []string{"<!DOCTYPE html><html lang=\"en\">", "<title>Hello, &lt;Ada&gt;</title>", "Looking at the sky", "<li>Sun</li><li>Rain</li>"}}},
		"worker-markdown": {{"GET", "/", "", 200, []string{"<h1>Markdown in JavaScript</h1>"}}, {"PUT", "/", "", 405, nil},
			{"POST", "/", "# Hi *there*\n\n| a | b |\n|--:|---|\n| 1 | `2` |\n", 200, []string{"<h1>Hi <em>there</em></h1>", "<td align=\"right\">1</td>\n<td><code>2</code></td>"}}},
		"worker-gateway": {{"GET", "/", "", 401, []string{"show a token"}}}, // auth was deployed before
		"worker-kv":      keyValue(),
		"worker-mailer":  {{"POST", "/mails", `{"to":"ada@example.com"}`, 400, []string{"a mail has to and text"}}, {"GET", "/none", "", 404, nil}},
		"worker-index":   {{"GET", "/", "", 200, []string{"{}"}}, {"GET", "/none", "", 404, nil}, {"POST", "/", "", 405, nil}},
	}
}

// keyValue puts a value as each type, reads it as each, and lists.
func keyValue() (all []exchange) {
	const value = `{"name":"äpfel"}`
	for _, as := range []string{"text", "arrayBuffer", "view", "stream"} {
		all = append(all, exchange{"PUT", "/as/" + as + "?ttl=3600&as=" + as, value, 204, nil})
		for _, query := range []string{"", "?type=text", "?type=json", "?type=arrayBuffer", "?type=stream", "?type=json&cacheTtl=60", "?type=stream&cacheTtl=60"} {
			all = append(all, exchange{"GET", "/as/" + as + query, "", 200, []string{value}})
		}
	}
	return append(all, []exchange{
		{"GET", "/?key=as/text&key=none&type=json", "", 200, []string{`{"as/text":{"name":"äpfel"},"none":null}`}},
		{"GET", "/?key=as/text&key=none&metadata", "", 200, []string{`"as/text":{"value":"{\"name\":\"äpfel\"}","metadata":null`, `"none":{"value":null`}},
		{"GET", "/?prefix=as/&limit=2", "", 200, []string{`{"keys":[{"name":"as/arrayBuffer","expiration":`, `{"name":"as/stream",`, `"cursor":"`}},
		{"GET", "/?prefix=as/v", "", 200, []string{`{"keys":[{"name":"as/view",`, `"cursor":null}`}},
		{"GET", "/?cursor=x", "", 400, nil}, {"GET", "/?limit=0", "", 400, []string{"Invalid key_count_limit of 0"}},
		{"PUT", "/later?expiration=4102444800", "x", 204, nil}, {"PUT", "/y?ttl=soon", "x", 400, []string{"Invalid expiration_ttl of 0"}},
		{"PUT", "/y?expiration=1", "x", 400, []string{"Invalid expiration of 1"}}, {"GET", "/y", "", 404, nil}, {"GET", "/y?metadata", "", 404, nil},
		{"DELETE", "/later", "", 204, nil}, {"DELETE", "/later", "", 204, nil}, {"GET", "/later", "", 404, nil}, {"PATCH", "/later", "", 405, nil},
	}...)
}

// install installs the npm packages of an example, those that it is built of.
func install(t *testing.T, project string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(project, "package.json")); err != nil {
		return
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not installed; this example was not built")
	}
	cmd := exec.Command(npm, "ci", "--omit=dev", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
	cmd.Dir = project
	run(t, cmd)
}

// askWorkers asks what the tables can't: with headers.
func askWorkers(t *testing.T, n *node) {
	t.Run("worker-gateway asks auth", func(t *testing.T) {
		n.ask(t, n.url("worker-gateway"), exchange{"GET", "/", "", 200, []string{`{"user":"bob"}`}}, "Authorization", "Bearer bob-token")
	})
	t.Run("A/B by cookie", func(t *testing.T) {
		for variant, want := range map[string]string{"a": "as it was", "b": "as it may be"} {
			n.ask(t, n.url("worker-ab"), exchange{"GET", "/", "", 200, []string{want}}, "Cookie", "x=y; variant="+variant)
		}
	})
	t.Run("JWT", func(t *testing.T) { checkTokens(t, n) })
	t.Run("types are up to date", func(t *testing.T) { n.mayfly("types", "worker-orders", "--check") })
	t.Run("metadata", func(t *testing.T) {
		n.ask(t, n.url("worker-kv"), exchange{"PUT", "/m", "7", 204, nil}, "Metadata", `{"colour":"red"}`)
		n.ask(t, n.url("worker-kv"), exchange{"GET", "/m?metadata&type=json", "", 200, []string{`{"value":7,"metadata":{"colour":"red"}}`}})
		n.ask(t, n.url("worker-kv"), exchange{"GET", "/?prefix=m", "", 200, []string{`{"name":"m","metadata":{"colour":"red"}}`}})
	})
}
