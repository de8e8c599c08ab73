package node_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/node"
)

func TestAccessLogFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "access.log")
	if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := node.Start(t.Context(), node.Config{
		Data: filepath.Join(dir, "data"), Listen: "127.0.0.1:0", AccessLogFile: file, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + n.HTTPAddr() + "/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 2 || lines[0] != "{}" {
		t.Fatalf("got %q, want what was there and one entry", data)
	}
	var entry struct{ Msg, Method string }
	if err := json.Unmarshal([]byte(lines[1]), &entry); err != nil || entry.Msg != "request" || entry.Method != "GET" {
		t.Errorf("got %+v, %v", entry, err)
	}
}

func TestAccessLogFileThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	_, err := node.Start(t.Context(), node.Config{
		Data: filepath.Join(dir, "data"), Listen: "127.0.0.1:0", AccessLogFile: dir, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.HasPrefix(err.Error(), "open access log: ") {
		t.Errorf("got %v, want that the access log cannot be opened", err)
	}
}
