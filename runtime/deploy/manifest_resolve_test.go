package deploy_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// environment is what references find in tests.
func environment(name string) (string, bool) {
	text, ok := map[string]string{
		"HOST": "api.example.com", "EMPTY": "", "NAME": "shop", "REF": "${env:HOST}", "BAD": "canary text / not / a host",
		"LONG": strings.Repeat("canary", 1000), "BINARY": "\xff",
	}[name]
	return text, ok
}

// mustFiles makes a folder for ${file:...}.
func mustFiles(t testing.TB) (dir string) {
	t.Helper()
	outside := t.TempDir()
	dir = filepath.Join(outside, "project")
	write := func(path, text string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(outside, "outside"), "canary")
	write(filepath.Join(dir, "motd"), "hello\n\n")
	write(filepath.Join(dir, "texts", "crlf.txt"), "a\r\n")
	write(filepath.Join(dir, "bare"), "b\r")
	write(filepath.Join(dir, "large"), strings.Repeat("x", 64<<10+1))
	write(filepath.Join(dir, "half"), strings.Repeat("x", 40<<10))
	write(filepath.Join(dir, "binary"), "\xff")
	for name, to := range map[string]string{"inside-link": "motd", "link": "../outside", "absolute-link": filepath.Join(outside, "outside"), "folder-link": ".."} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReferences(t *testing.T) {
	res := deploy.Resolver{Env: environment, Dir: mustFiles(t)}
	tests := []struct{ text, want string }{
		{"plain", "plain"},
		{"${env:HOST}", "api.example.com"},
		{"https://${env:HOST}/${env:NAME}", "https://api.example.com/shop"},
		{"${env:EMPTY}", ""},
		{"${env:EMPTY:-other}", "other"},
		{"${env:UNSET:-other}", "other"},
		{"${env:UNSET:-}", ""},
		{"${env:HOST:-other}", "api.example.com"},
		{"${env:UNSET:-a:-b$}", "a:-b$"},
		{"$${env:HOST}", "${env:HOST}"},
		{"$$${env:HOST}", "$${env:HOST}"},
		{"$${x}", "${x}"},
		{"${HOST} ${env} ${:env} ${ENV:HOST} $env:HOST }", "${HOST} ${env} ${:env} ${ENV:HOST} $env:HOST }"},
		{"${env:REF}", "${env:HOST}"}, // not looked through again
		{"${file:motd}", "hello\n"},
		{"${file:texts/crlf.txt}|${file:bare}", "a|b\r"},
		{"${file:texts/../motd}", "hello\n"},
		{"${file:inside-link}", "hello\n"},
		{"${file:absent:-none}", "none"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			m, err := res.Parse("mayfly.toml", []byte("[vars]\nV = '"+tt.text+"'\nDEEP = [{ a = ['"+tt.text+"'] }]"), "")
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Vars["V"].Text; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got, want := string(m.Vars["DEEP"].JSON), `[{"a":["`; !strings.HasPrefix(got, want) || strings.Contains(got, "${env:HOST}") != strings.Contains(tt.want, "${env:HOST}") {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestBrokenReferences checks that errors name what is missing and where, and
// never have a text that a reference stands for.
func TestBrokenReferences(t *testing.T) {
	res := deploy.Resolver{Env: environment, Dir: mustFiles(t)}
	const generic = " stands for is not accepted here; it is not shown"
	tests := []struct{ name, text, stage, want string }{
		{"not set", "name = 'x'\n[vars]\nA = 'a${env:UNSET}'", "", `3:5: "A": UNSET is not set in the environment; set it, or write ${env:UNSET:-text} to have a text without it`},
		{"second not set", "vars.A = '${env:LONG}${env:UNSET}'", "", `1:10: "A": UNSET is not set in the environment; set it, or write ${env:UNSET:-text} to have a text without it`},
		{"not closed", "vars.A = 'a${env:HOST'", "", `1:10: "A": ${env: has no "}" at its end; write $${env: if no reference is meant`},
		{"no name", "vars.A = '${env:1A}'", "", `1:10: "A": ${env:1A} names no variable: letters, digits and underscores, no digit first`},
		{"no UTF-8", "vars.A = '${env:BINARY}'", "", `1:10: "A": BINARY is not UTF-8 in the environment`},
		{"no file", "vars.A = ['b', '${file:absent}']", "", `1:16: entry 2 of "A": there is no file absent below the manifest's folder; make it, or write ${file:absent:-text} to have a text without it`},
		{"no path", "vars.A = '${file:}'", "", `1:10: "A": ${file:} names no file`},
		{"absolute", "vars.A = '${file:/etc/passwd}'", "", `1:10: "A": ${file:/etc/passwd} is not below the manifest's folder, and only what is there is read`},
		{"outside", "vars.A = '${file:../outside}'", "", `1:10: "A": ${file:../outside} is not below the manifest's folder, and only what is there is read`},
		{"outside with a default", "vars.A = '${file:../outside:-x}'", "", `1:10: "A": ${file:../outside} is not below the manifest's folder, and only what is there is read`},
		{"large", "vars.A = '${file:large}'", "", `1:10: "A": the file large has more than 65536 bytes`},
		{"large together", "vars.A = '${file:half}${file:half}'", "", `1:10: "A": ${file:half} makes the value longer than 65536 bytes`},
		{"binary", "vars.A = '${file:binary}'", "", `1:10: "A": the file binary is not UTF-8`},
		{"folder", "vars.A = '${file:texts}'", "", `1:10: "A": ${file:texts} can't be read: it is no plain file`},
		{"pipe", "vars.A = '${file:fifo}'", "", `1:10: "A": ${file:fifo} can't be read: it is no plain file`},
		{"variable too long", "vars.A = '${env:LONG}'", "", "1:10: what ${env:LONG}" + generic},
		{"name", "name = '${env:BAD}'", "", "1:8: what ${env:BAD}" + generic},
		{"route", "routes = ['a.example', { pattern = '${env:BAD}' }]", "", "1:36: what ${env:BAD}" + generic},
		{"several", "route = '${env:HOST}/${env:BAD}*x'", "", "1:9: what ${env:HOST} and ${env:BAD}" + generic},
		{"date", "compatibility_date = '${env:HOST}'", "", "1:22: what ${env:HOST}" + generic},
		{"id", "[[kv_namespaces]]\nbinding = 'A'\nid = '${env:BAD}'", "", "3:6: what ${env:BAD}" + generic},
		{"binding", "[[kv_namespaces]]\nbinding = '${env:BAD}'", "", "2:11: what ${env:BAD}" + generic},
		{"egress", "egress.allow = ['${env:BAD}']", "", "1:17: what ${env:BAD}" + generic},
		{"warm-up", "snapshot.warmup = ['${env:BAD}']", "", "1:20: what ${env:BAD}" + generic},
		{"address", "dev.ip = '${env:BAD}'", "", "1:10: what ${env:BAD}" + generic},
		{"name of a stage", "name = '${env:NAME}'\n[env.Prod]", "Prod", "2:6: what ${env:NAME}" + generic},
		{"of the stage", "[env.a]\nroute = '${env:UNSET}'", "a", `2:9: "route": UNSET is not set in the environment; set it, or write ${env:UNSET:-text} to have a text without it`},
		{"form in another stage", "[env.a]\nroute = '${env:'", "", `2:9: "route": ${env: has no "}" at its end; write $${env: if no reference is meant`},
		{"form in what is not inherited", "vars.A = '${env:'\n[env.a]", "a", `1:10: "A": ${env: has no "}" at its end; write $${env: if no reference is meant`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := res.Parse("mayfly.toml", []byte(tt.text), tt.stage)
			if want := "mayfly.toml:" + tt.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
	for _, link := range []string{"link", "absolute-link", "folder-link/outside"} {
		_, err := res.Parse("mayfly.toml", []byte("vars.A = '${file:"+link+"}'"), "")
		if err == nil || !strings.Contains(err.Error(), `1:10: "A": ${file:`+link+`} can't be read: `) {
			t.Errorf("%s: got %v, want that it is not followed", link, err)
		}
	}
}

// TestUnusedReferences leaves alone what the stage has nothing to do with.
func TestUnusedReferences(t *testing.T) {
	const file = `
name = "${env:UNSET}"
route = "${env:UNSET}"
compatibility_date = "2025-01-31"
main = "${env:MAIN}.wasm"
[vars]
A = "${env:UNSET}"
[build]
command = "echo ${env:HOST} $${x}"
[env.own]
name = "own-${env:NAME}"
routes = []
vars = { A = "${file:motd}" }
[env.other]
name = "${env:UNSET}"
limits = { cpu_ms = 9 }
`
	res := deploy.Resolver{Env: environment, Dir: mustFiles(t)}
	m, err := res.Parse("mayfly.toml", []byte(file), "own")
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "own-shop" || len(m.Routes) != 0 || m.Vars["A"].Text != "hello\n" || m.CompatibilityDate != "2025-01-31" {
		t.Errorf("got %+v", m)
	}
	if m.Main != "${env:MAIN}.wasm" || m.Build.Command != "echo ${env:HOST} $${x}" {
		t.Errorf("got main %q and the command %q, want them as they are written", m.Main, m.Build.Command)
	}
	for _, stage := range []string{"", "other"} {
		if _, err := res.Parse("mayfly.toml", []byte(file), stage); err == nil || !strings.Contains(err.Error(), "UNSET is not set") {
			t.Errorf("stage %q: got %v", stage, err)
		}
	}
	res.KeepVars = true
	m, err = res.Parse("mayfly.toml", []byte("name = '${env:NAME}'\nvars.A = '${env:UNSET}'"), "")
	if err != nil || m.Name != "shop" || m.Vars["A"].Text != "${env:UNSET}" {
		t.Errorf("got %+v, %v, want the variable as it is written", m, err)
	}
}

// TestResolvedIsBounded repeats a file that may be read as often as a manifest
// can hold.
func TestResolvedIsBounded(t *testing.T) {
	res := deploy.Resolver{Dir: mustFiles(t)}
	_, err := res.Parse("mayfly.toml", []byte("vars.A = ["+strings.Repeat("'${file:half}',\n", 2000)+"]"), "")
	if err == nil || !strings.Contains(err.Error(), "${file:half} makes all values together longer than 1048576 bytes") {
		t.Errorf("got %.300v", err)
	}
}

// FuzzReferences checks that whatever is written into values gives a manifest or
// errors with places, and that no error tells what is in the environment.
func FuzzReferences(f *testing.F) {
	for _, s := range []string{"", "${env:A}", "a$${env:A}${env:B:-c}", "${file:motd}", "${file:../outside}", "${env:", "${env:A}}$${", "$${$${${env:A:-}", "${file:link}", "${file:fifo}"} {
		f.Add(s, "staging", "vars.A")
		f.Add(s, "", "name")
		f.Add(s, "", "route")
	}
	dir := mustFiles(f)
	const canary = "canary-K7/Qp!*x"
	res := deploy.Resolver{Dir: dir, Env: func(name string) (string, bool) { return canary + name, name != "UNSET" }}
	f.Fuzz(func(t *testing.T, value, stage, key string) {
		if strings.ContainsAny(value+key+stage, "'\n\r") {
			return
		}
		text := key + " = '" + value + "'\n[env.staging]\n" + key + " = '" + value + "'\n"
		m, err := res.Parse("mayfly.toml", []byte(text), stage)
		if err == nil {
			checkManifest(t, m, stage)
			return
		}
		if strings.Contains(err.Error(), "canary") && !strings.Contains(text, "canary") {
			t.Errorf("the error tells what is in the environment: %v", err)
		}
		checkPositions(t, text, err)
	})
}
