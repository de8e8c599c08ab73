package natsserver_test

import (
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/kv/logtest"
	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/nats-io/nats.go"
)

// TestLog has what happens again and again told once, with what to do.
func TestLog(t *testing.T) {
	var log logtest.Buffer
	s := mustStart(t, natsserver.Config{Dir: t.TempDir(), Node: "one", Listen: "127.0.0.1:0", Secret: "s", Logger: log.Logger()})
	for range 20 {
		if nc, err := nats.Connect("nats://"+s.Addr(), nats.UserInfo(natsserver.User, "guessed")); err == nil {
			t.Fatalf("got %v", nc)
		}
	}
	const hint = "do not have the same secret"
	if got := log.String(); strings.Count(got, hint) != 1 || strings.Contains(got, "Plaintext") {
		t.Errorf("got\n%s\nwant %q once", got, hint)
	}
}
