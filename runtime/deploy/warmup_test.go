package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

func TestSnapshotInManifest(t *testing.T) {
	m, err := deploy.ParseManifest("mayfly.toml", []byte("[snapshot]\nenabled = false\nwarmup = [\"GET /\", \"POST /a?b\"]\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	if !m.Snapshot.Disabled || !slices.Equal(m.Snapshot.Warmup, []string{"GET /", "POST /a?b"}) {
		t.Errorf("got %+v", m.Snapshot)
	}
	for text, want := range map[string]string{
		"[snapshot]\nwarmup = [\"/\"]":             `mayfly.toml:2:11: a warm-up request is a method and a path such as "GET /", not "/"`,
		"[snapshot]\nwarmup = [\"GET x y\"]":       `not "GET x y"`,
		"[snapshot]\nwarmup = [\"CONNECT /\"]":     `not "CONNECT /"`,
		"[snapshot]\nenabled = \"no\"":             `mayfly.toml:2:11: "enabled" wants true or false, not a string`,
		"[snapshot]\nwarmups = []":                 `did you mean "warmup"?`,
		"[snapshot]\nwarmup = [\"GET /a\\u0001\"]": "a warm-up request is",
	} {
		if _, err := deploy.ParseManifest("mayfly.toml", []byte(text), ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// A warm-up request that fails refuses the deploy, and the Function serves what
// it served before.
func TestWarmupFails(t *testing.T) {
	r := newNode(t).open(t)
	mustDeploy(t, r, deploy.Local, "hello", deploy.Upload{Module: guest(1)})
	var m hosttest.Module
	m.Memory(1)
	m.Func("fetch", nil, nil, nil, hosttest.Unreachable)
	up := deploy.Upload{Module: m.Bytes(), Settings: deploy.Settings{Snapshot: deploy.SnapshotOptions{Warmup: []string{"GET /x"}}}}
	_, err := r.Deploy(t.Context(), deploy.Local, "hello", up)
	if host.CodeOf(err) != host.CodeInvalid || !strings.Contains(err.Error(), "the warm-up request GET http://hello.localhost/x failed: wasm error: unreachable") {
		t.Errorf("got %v", err)
	}
	if _, v, err := r.Function(deploy.Local, "hello"); err != nil || v.Number != 1 {
		t.Errorf("serves version %d, %v", v.Number, err)
	}
	up.Settings.Snapshot = deploy.SnapshotOptions{Disabled: true, Warmup: []string{"GET /x"}}
	if _, err := r.Deploy(t.Context(), deploy.Local, "hello", up); err != nil {
		t.Errorf("without a snapshot nothing is warmed up: %v", err)
	}
}
