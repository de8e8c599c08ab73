package natsserver

import (
	"crypto/rand"
	"crypto/subtle"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// systemUser is who may take servers out of the cluster. With a list of users in the
// server's options instead, it would let in clients of the network that name nobody.
const systemUser = "mayfly system"

// access lets in who knows the secret, and this process to the system's account: by
// a password that nobody else knows, and by no socket.
type access struct {
	secret, system string
	server         *server.Server // set before clients come
}

var _ server.Authentication = (*access)(nil)

func newAccess(secret string) *access { return &access{secret: secret, system: rand.Text()} }

// Check implements server.Authentication.
func (a *access) Check(c server.ClientAuthentication) bool {
	given := c.GetOpts()
	switch {
	case c.Kind() != server.CLIENT:
		return false
	case given.Username == User:
		return subtle.ConstantTimeCompare([]byte(given.Password), []byte(a.secret)) == 1
	case given.Username != systemUser || !ofThisProcess(c):
		return false
	case subtle.ConstantTimeCompare([]byte(given.Password), []byte(a.system)) != 1:
		return false
	}
	c.RegisterUser(&server.User{Username: systemUser, Account: a.server.SystemAccount()})
	return true
}

// ofThisProcess reports whether a client came by InProcessConn, which is a net.Pipe.
func ofThisProcess(c server.ClientAuthentication) bool {
	from := c.RemoteAddress()
	return from != nil && from.Network() == "pipe"
}

// system connects to the system's account, by a connection to be closed.
func (s *Server) system() (*nats.Conn, error) {
	return nats.Connect("nats://in-this-node", nats.InProcessServer(s.server), nats.UserInfo(systemUser, s.access.system), nats.NoReconnect())
}
