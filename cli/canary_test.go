package cli_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/wasi"
)

// tellsSecret answers with KEY, and traps afterwards if it is to.
func tellsSecret(traps bool) []byte {
	var m hosttest.Module
	call := m.ImportAll(native.New().Modules()[0])
	m.Memory(1)
	m.Data(0, []byte("KEY"))
	var ops [][]byte
	for _, v := range []int32{200, 0, 0, 100, 0, 3, 100, 8000} {
		ops = append(ops, hosttest.I32Const(v))
	}
	ops = append(ops, hosttest.Call(call["env_get"]))
	if traps {
		ops = append(ops, hosttest.Unreachable)
	}
	m.Func("fetch", nil, nil, nil, append(ops, hosttest.Call(call["respond"]), hosttest.Drop)...)
	return m.Bytes()
}

// printsEnvironment is a program that answers with its environment.
func printsEnvironment() []byte {
	const header = "content-type: text/plain\n\n"
	var m hosttest.Module
	call := m.ImportAll(wasi.Module())
	m.Memory(1)
	m.Data(0, []byte(header))
	m.Data(512, []byte{0, 0, 0, 0, byte(len(header)), 0, 0, 0, 0, 16, 0, 0, 0, 16, 0, 0}) // two iovecs
	m.Func("_start", nil, nil, nil,
		hosttest.I32Const(1024), hosttest.I32Const(4096), hosttest.Call(call["environ_get"]), hosttest.Drop,
		hosttest.I32Const(1), hosttest.I32Const(512), hosttest.I32Const(2), hosttest.I32Const(600), hosttest.Call(call["fd_write"]), hosttest.Drop)
	return m.Bytes()
}

// canary is a text that can't be anywhere by chance, and what it may hide as.
func canary() (text string, forms [][]byte) {
	var b [20]byte
	rand.Read(b[:])
	text = "canary" + hex.EncodeToString(b[:])
	for _, form := range []string{
		text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text))),
		base64.RawStdEncoding.EncodeToString([]byte(text))[:40],
		base64.RawStdEncoding.EncodeToString([]byte("x" + text))[2:40], base64.RawStdEncoding.EncodeToString([]byte("xx" + text))[3:40],
		fmt.Sprint([]byte(text))[1:60],
	} {
		forms = append(forms, []byte(form))
	}
	return text, forms
}

// hits are the files below dir that have one of the forms.
func hits(t *testing.T, dir string, forms [][]byte) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if has(data, forms) {
			list = append(list, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func has(data []byte, forms [][]byte) bool {
	for _, form := range forms {
		if bytes.Contains(data, form) {
			return true
		}
	}
	return false
}

// told is all that a node said: its API's answers and its log.
type told struct{ bytes.Buffer }

// stop ends a node in good order and keeps its log.
func (s *server) stop(t *testing.T, into *told) {
	t.Helper()
	s.mustSignal(t, syscall.SIGTERM)
	for s.log.Scan() {
		fmt.Fprintln(into, s.log.Text())
	}
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// requestsWith are requests about a Function that have a secret in them, good and
// bad, and others that might tell it.
func requestsWith(text string) (list [][3]string) {
	for _, body := range []string{
		`{"name":"KEY","text":"` + text + `","type":"secret_text"}`,
		`{"name":"OTHER","text":"` + text + `"}`,
		`{"name":"a-b","text":"` + text + `"}`,
		`{"name":"KEY","text":"` + text + `","type":"secret_key"}`,
		`{"name":"KEY","text":"` + strings.Repeat(text, 200) + `"}`,
		`{"name":"KEY","text":"` + text,
		`{"name":"KEY","text":["` + text + `"]}`,
		`{"name":"KEY","text":"` + text + `\u0000"}`,
		`{"name":"KEY","text":"` + text + `"} x`,
	} {
		list = append(list, [3]string{"PUT", "/secrets", body})
	}
	list = append(list, [][3]string{
		{"PATCH", "/secrets-bulk", `{"secrets":{"OTHER":null,"THIRD":{"text":"` + text + `"}}}`},
		{"PATCH", "/secrets-bulk", `{"secrets":{"OTHER":null,"FOURTH":{"text":"` + text + `"}}}`},
		{"DELETE", "/secrets/THIRD", ""},
	}...)
	for _, path := range []string{"/secrets", "/secrets/KEY", "/settings", "/versions", "/deployments", ""} {
		list = append(list, [3]string{"GET", path, ""})
	}
	return list
}

// A secret is told to requests of its Function. It is nowhere on disk, in no log,
// and in no answer of the API, whatever goes wrong with it.
func TestCanary(t *testing.T) {
	text, forms := canary()
	plain, plainForms := canary() // a variable, to know that a search finds what is there
	data := t.TempDir()
	config := "[node]\naccess_log = \"" + filepath.Join(data, "access.log") + "\"\n"
	said := new(told)
	s := mustServeIn(t, data, config)
	say := func(method, path, body string) {
		_, answer := s.call(t, s.mustToken(t), method, path, body)
		said.WriteString(answer + "\n")
	}
	scripts := "accounts/local/workers/scripts/"
	variables := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.WriteFile(variables, []byte(`{"KEY":"`+text+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, module := range map[string][]byte{"native": tellsSecret(false), "traps": tellsSecret(true), "program": printsEnvironment()} {
		file := filepath.Join(t.TempDir(), name+".wasm")
		if err := os.WriteFile(file, module, 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(said, s.mustRun(t, "deploy", file, "--secrets-file", variables, "--json"))
		say("PUT", scripts+name, string(module)) // again, bare
		for _, r := range requestsWith(text) {
			say(r[0], scripts+name+r[1], r[2])
		}
	}
	say("PUT", "accounts/local/workers/scripts/nobody/secrets", `{"name":"KEY","text":"`+text+`"}`)
	_, answer := s.call(t, text, "GET", "accounts", "") // as a token
	said.WriteString(answer)
	say("POST", "accounts/local/storage/kv/namespaces", `{"title":"`+plain+`"}`)

	for range 2 {
		if _, body := s.get(t, "native"); body != text {
			t.Errorf("the native guest answers %q", body)
		}
		if _, body := s.get(t, "program"); !strings.Contains(body, "KEY="+text+"\x00") {
			t.Errorf("the program answers %q", body)
		}
		status, body := s.get(t, "traps")
		if status != 500 {
			t.Errorf("the guest that traps answers %d", status)
		}
		said.WriteString(body)
		_, metrics := s.call(t, s.mustToken(t), "GET", "../../metrics", "")
		said.WriteString(metrics)
		s.stop(t, said)
		if found := hits(t, data, forms); len(found) > 0 {
			t.Errorf("the secret is in %q", found)
		}
		s = mustServeIn(t, data, config)
	}
	s.kill(t)
	if found := hits(t, data, forms); len(found) > 0 {
		t.Errorf("after a kill the secret is in %q", found)
	}
	if has(said.Bytes(), forms) {
		t.Errorf("the node has told the secret: %s", said)
	}
	if !strings.Contains(said.String(), "KEY") || !has(said.Bytes(), plainForms) || len(hits(t, data, plainForms)) == 0 {
		t.Error("the search does not find what is there")
	}
}
