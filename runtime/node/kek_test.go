package node_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/secret"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/node"
)

// tells answers with the variable or secret KEY.
func tells() []byte {
	return guest("KEY", func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(200, 0, 0, 100), numbers(0, 3, 100, 8000), hosttest.Call(call["env_get"]),
			hosttest.Call(call["respond"]), hosttest.Drop,
		}
	})
}

func mustWrite(t *testing.T, file, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil { // the umask may have taken some away
		t.Fatal(err)
	}
	return file
}

// withSecret starts a node, gives a Function a secret and ends the node.
func withSecret(t *testing.T, cfg node.Config) {
	t.Helper()
	n := mustStart(t, cfg)
	mustDeploy(t, n, "tells", tells())
	text := "the secret"
	if _, err := n.Registry().SetSecrets(t.Context(), deploy.Local, "tells", "", map[string]*string{"KEY": &text}); err != nil {
		t.Fatal(err)
	}
	checkSecret(t, n)
	if err := n.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func checkSecret(t *testing.T, n *node.Node) {
	t.Helper()
	if status, body, err := get(n, "tells.localhost"); err != nil || status != 200 || body != "the secret" {
		t.Errorf("got %d %q, %v; want the secret", status, body, err)
	}
}

// opens starts a node again, which has to have its secret.
func opens(t *testing.T, cfg node.Config) {
	t.Helper()
	n := mustStart(t, cfg)
	checkSecret(t, n)
	if err := n.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// refuses starts a node, which has to refuse with a text.
func refuses(t *testing.T, cfg node.Config, want string) {
	t.Helper()
	cfg.Listen, cfg.Admin, cfg.Logger = "127.0.0.1:0", "127.0.0.1:0", slog.New(slog.DiscardHandler)
	n, err := node.Start(t.Context(), cfg)
	if err == nil {
		n.Shutdown(t.Context())
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestOwnKey(t *testing.T) {
	data := t.TempDir()
	own := filepath.Join(data, "kek")
	withSecret(t, node.Config{Data: data})
	info, err := os.Stat(own)
	if err != nil || info.Mode() != 0o400 {
		t.Fatalf("got %v, %v; want a key of mode 0400", info, err)
	}
	opens(t, node.Config{Data: data})

	away := filepath.Join(t.TempDir(), "kek")
	if err := os.Rename(own, away); err != nil {
		t.Fatal(err)
	}
	refuses(t, node.Config{Data: data}, "there are secrets, and no key to open them: put "+own+" back, or give the key as the systemd credential mayfly.kek, in MAYFLY_KEK, or in the file that kek_file names")
	opens(t, node.Config{Data: data, KEKFile: away})

	mustWrite(t, own, secret.NewKey().Encode(), 0o400)
	refuses(t, node.Config{Data: data}, "give it the key that it had before")
}

// The key that the node has made of itself is the previous one by itself.
func TestFromOwnKeyToAnother(t *testing.T) {
	data := t.TempDir()
	withSecret(t, node.Config{Data: data})
	next := mustWrite(t, filepath.Join(t.TempDir(), "kek"), secret.NewKey().Encode(), 0o400)
	opens(t, node.Config{Data: data, KEKFile: next})
	if err := os.Remove(filepath.Join(data, "kek")); err != nil {
		t.Fatal(err)
	}
	opens(t, node.Config{Data: data, KEKFile: next})
}

func TestKeyRotation(t *testing.T) {
	data, keys := t.TempDir(), t.TempDir()
	first := mustWrite(t, filepath.Join(keys, "first"), secret.NewKey().Encode()+"\n", 0o440)
	second := mustWrite(t, filepath.Join(keys, "second"), secret.NewKey().Encode(), 0o600)
	withSecret(t, node.Config{Data: data, KEKFile: first})
	if _, err := os.Stat(filepath.Join(data, "kek")); err == nil {
		t.Error("the node has made a key of its own as well")
	}
	refuses(t, node.Config{Data: data, KEKFile: second}, "kek_previous_file names")
	opens(t, node.Config{Data: data, KEKFile: second, PreviousKEKFile: first})
	opens(t, node.Config{Data: data, KEKFile: second})
	refuses(t, node.Config{Data: data, KEKFile: first}, "the secrets of account local are sealed under key ")
}

// A credential goes before the environment, and that before a file.
func TestKeyPlaces(t *testing.T) {
	data, credentials := t.TempDir(), t.TempDir()
	key := secret.NewKey()
	other := mustWrite(t, filepath.Join(t.TempDir(), "kek"), secret.NewKey().Encode(), 0o400)
	t.Setenv("MAYFLY_KEK", key.Encode())
	withSecret(t, node.Config{Data: data, KEKFile: other})

	t.Setenv("MAYFLY_KEK", secret.NewKey().Encode())
	refuses(t, node.Config{Data: data}, "are sealed under key ")
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	refuses(t, node.Config{Data: data}, "give it the key that it had before") // it has none of ours
	mustWrite(t, filepath.Join(credentials, "mayfly.kek"), key.Encode(), 0o400)
	opens(t, node.Config{Data: data})
}

func TestBadKeys(t *testing.T) {
	dir := t.TempDir()
	good := secret.NewKey().Encode()
	tests := []struct {
		name, file, variable, want string
	}{
		{"missing", filepath.Join(dir, "nothing"), "", "read key: stat " + filepath.Join(dir, "nothing")},
		{"a directory", dir, "", "is open to others"},
		{"readable by others", mustWrite(t, filepath.Join(dir, "others"), good, 0o444), "", "has mode 0444 and so is open to others; chmod 400 it"},
		{"writable by the group", mustWrite(t, filepath.Join(dir, "group"), good, 0o660), "", "has mode 0660 and so is open to others"},
		{"a password", mustWrite(t, filepath.Join(dir, "password"), "correct horse", 0o400), "", "is not a key: 32 random bytes are wanted"},
		{"too long", mustWrite(t, filepath.Join(dir, "long"), strings.Repeat("A", 5000), 0o400), "", "is not a key: 32 random bytes are wanted"},
		{"in the environment", "", "correct horse", "read key: MAYFLY_KEK is not a key: 32 random bytes are wanted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("MAYFLY_KEK", tt.variable)
			refuses(t, node.Config{Data: t.TempDir(), KEKFile: tt.file}, tt.want)
		})
	}
}
