package control_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const secrets = scripts + "/hello/secrets"

type secretEntry struct{ Name, Type, Text string }

func secretCall(body string) call { return call{method: "PUT", path: secrets, body: body} }

func TestSecrets(t *testing.T) {
	f := newFixture(t, options{})
	f.refused(t, secretCall(`{"name":"A","text":"x","type":"secret_text"}`), 404, 10007, `Function "hello" does not exist in account local`)
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm","bindings":[{"type":"plain_text","name":"MODE","text":"x"},{"type":"secret_text","name":"FIRST","text":"canary-1"}]}`, guest(1)), nil)
	var one secretEntry
	f.ok(t, secretCall(`{"name":"SECOND","text":"canary-2","type":"secret_text"}`), &one)
	if want := (secretEntry{"SECOND", "secret_text", ""}); one != want {
		t.Errorf("got %v, want %v", one, want)
	}
	f.ok(t, secretCall(`{"name":"THIRD","text":"canary-3"}`), nil)
	f.ok(t, call{method: "PATCH", path: scripts + "/hello/secrets-bulk",
		body: `{"secrets":{"FIRST":{"text":"canary-4"},"THIRD":null,"FOURTH":{"name":"FOURTH","text":"canary-5","type":"secret_text"}}}`}, nil)

	var list []secretEntry
	f.ok(t, call{method: "GET", path: secrets}, &list)
	want := []secretEntry{{"FIRST", "secret_text", ""}, {"FOURTH", "secret_text", ""}, {"SECOND", "secret_text", ""}}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("got %v, want %v", list, want)
	}
	f.ok(t, call{method: "GET", path: secrets + "/FIRST"}, &one)
	if one != want[0] {
		t.Errorf("got %v, want %v", one, want[0])
	}
	env := map[string]string{}
	a, _ := f.registry.Lookup([]byte("http"), []byte("hello.localhost"), []byte("/"))
	for name, v := range a.Main().Bindings.Env {
		env[name] = v.Value
	}
	if want := map[string]string{"MODE": "x", "FIRST": "canary-4", "SECOND": "canary-2", "FOURTH": "canary-5"}; !reflect.DeepEqual(env, want) {
		t.Errorf("got %v, want %v", env, want)
	}
	f.ok(t, call{method: "DELETE", path: secrets + "/SECOND"}, nil)
	f.refused(t, call{method: "DELETE", path: secrets + "/SECOND"}, 404, 10056, "there is no secret SECOND")
	f.refused(t, call{method: "GET", path: secrets + "/SECOND"}, 404, 10056, "there is no secret SECOND")

	var settings struct{ Bindings []secretEntry }
	f.ok(t, call{method: "GET", path: scripts + "/hello/settings"}, &settings)
	if want := []secretEntry{{"MODE", "plain_text", "x"}, {"FIRST", "secret_text", ""}, {"FOURTH", "secret_text", ""}}; !reflect.DeepEqual(settings.Bindings, want) {
		t.Errorf("got %v, want %v", settings.Bindings, want)
	}
}

// Nothing of what is refused comes back, least of all a text.
func TestSecretsRefused(t *testing.T) {
	f := newFixture(t, options{})
	f.ok(t, upload(t, "local", "hello", `{"main_module":"main.wasm","bindings":[{"type":"plain_text","name":"VAR","text":"x"}]}`, guest(1)), nil)
	f.ok(t, secretCall(`{"name":"THERE","text":"x"}`), nil)
	bulk := func(body string) call {
		return call{method: "PATCH", path: scripts + "/hello/secrets-bulk", body: body}
	}
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf(`"S%d":null`, i))
	}
	tests := []struct {
		name         string
		call         call
		status, code int
		want         string
	}{
		{"nothing", secretCall(`{}`), 400, 10021, "the secret has no name"},
		{"no text", secretCall(`{"name":"A"}`), 400, 10021, `secret "A" has no text`},
		{"null", secretCall(`{"name":"A","text":null}`), 400, 10021, `secret "A" has no text`},
		{"a number", secretCall(`{"name":"A","text":4242424242}`), 400, 10021, "the body's JSON has a number where string is expected: text"},
		{"another type", secretCall(`{"name":"A","text":"4242424242","type":"secret_key"}`), 400, 10400, `secret "A": the type "secret_key" is not offered, only secret_text is`},
		{"half", secretCall(`{"name":"A","text":"4242424242`), 400, 10021, "the body is not the JSON expected here: unexpected EOF"},
		{"a variable", secretCall(`{"name":"VAR","text":"4242424242"}`), 409, 10409, "VAR would be both a secret and a variable of Function hello; give one of them another name, or remove it first"},
		{"too long", secretCall(`{"name":"A","text":"` + strings.Repeat("4242424242", 513) + `"}`), 400, 10021, "secret A has 5130 bytes, and at most 5120 are allowed"},
		{"two names", bulk(`{"secrets":{"A":{"name":"B","text":"4242424242"}}}`), 400, 10021, `the secret under the key "A" has the name "B"`},
		{"deleting what is not there", bulk(`{"secrets":{"A":null,"B":{"text":"4242424242"}}}`), 404, 10007, `there is no secret "A"`},
		{"many", bulk(`{"secrets":{` + strings.Join(many, ",") + `}}`), 400, 10021, "101 secrets were given; at most 100 are allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.refused(t, tt.call, tt.status, tt.code, tt.want)
			if a := f.do(t, tt.call); strings.Contains(a.body, "4242") {
				t.Errorf("the answer has the text: %s", a.body)
			}
			var list []secretEntry
			if f.ok(t, call{method: "GET", path: secrets}, &list); len(list) != 1 {
				t.Errorf("afterwards there are %v", list)
			}
		})
	}
}
