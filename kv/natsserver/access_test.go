package natsserver_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// TestSystemAccount: nobody comes to the system's account by the network, whatever they
// know, and who knows the secret of the cluster is in another account.
func TestSystemAccount(t *testing.T) {
	s := mustStart(t, natsserver.Config{Dir: t.TempDir(), Node: "one", Listen: "127.0.0.1:0", Secret: "known to few"})
	if err := s.InSystem(); err != nil {
		t.Errorf("this process: %v", err)
	}
	for _, tt := range []struct{ name, user, password string }{
		{"nobody", "", ""},
		{"without a password", natsserver.SystemUser, ""},
		{"by the secret", natsserver.SystemUser, "known to few"},
		{"by its own password", natsserver.SystemUser, s.SystemPassword()},
		{"by that as a node", natsserver.User, s.SystemPassword()},
		{"by NATS's name for it", "$SYS", s.SystemPassword()},
		{"by the name of the account", server.DEFAULT_SYSTEM_ACCOUNT, "known to few"},
	} {
		if nc, err := nats.Connect("nats://"+s.Addr(), nats.UserInfo(tt.user, tt.password)); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: got a connection: %v, %v", tt.name, nc != nil, err)
		}
	}
	_, opts := s.Connect()
	for name, nc := range map[string]*nats.Conn{
		"by the network":  mustJetStream(t, "nats://"+s.Addr(), nats.UserInfo(natsserver.User, "known to few")).Conn(),
		"in this process": mustJetStream(t, "nats://in-this-node", opts...).Conn(),
	} {
		if m, err := nc.Request(natsserver.SystemSubject, nil, time.Minute); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("who knows the secret, %s: got %v, %v", name, m, err)
		}
	}
}

// TestNoSecretNoSystem: a server that is alone and listens nowhere has no secret. Its own
// process comes to the account of everybody, and is not let into the system's.
func TestNoSecretNoSystem(t *testing.T) {
	s := mustStart(t, natsserver.Config{Dir: t.TempDir(), Node: "one"})
	if err := s.InSystem(); err == nil {
		t.Error("the system's account answers")
	}
}
