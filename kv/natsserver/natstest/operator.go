package natstest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// Operator vouches for accounts, and accounts for users: of what servers know, each
// signs the next with its key.
type Operator struct {
	claims   *jwt.OperatorClaims
	account  nkeys.KeyPair
	accounts server.MemAccResolver // and that of the system, which servers want
}

// NewOperator makes one with an account that may use JetStream without bounds.
func NewOperator(t testing.TB) *Operator {
	t.Helper()
	key, public := newPair(t, nkeys.CreateOperator)
	o := &Operator{claims: jwt.NewOperatorClaims(public)}
	o.account = o.newAccount(t, key, jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1})
	system, err := o.newAccount(t, key, jwt.JetStreamLimits{}).PublicKey()
	fatal(t, err)
	o.claims.SystemAccount = system
	_, err = o.claims.Encode(key)
	fatal(t, err)
	return o
}

func (o *Operator) newAccount(t testing.TB, signer nkeys.KeyPair, limits jwt.JetStreamLimits) nkeys.KeyPair {
	t.Helper()
	key, public := newPair(t, nkeys.CreateAccount)
	claims := jwt.NewAccountClaims(public)
	claims.Limits.JetStreamLimits = limits
	token, err := claims.Encode(signer)
	fatal(t, err)
	fatal(t, o.accounts.Store(public, token))
	return key
}

// Set has a server believe the operator.
func (o *Operator) Set(opts *server.Options) {
	opts.TrustedOperators, opts.AccountResolver, opts.SystemAccount = []*jwt.OperatorClaims{o.claims}, &o.accounts, o.claims.SystemAccount
}

// Credentials writes a .creds file of a user of the account.
func (o *Operator) Credentials(t testing.TB) (file string) {
	t.Helper()
	key, public := newPair(t, nkeys.CreateUser)
	token, err := jwt.NewUserClaims(public).Encode(o.account)
	fatal(t, err)
	seed, err := key.Seed()
	fatal(t, err)
	text, err := jwt.FormatUserConfig(token, seed)
	fatal(t, err)
	file = filepath.Join(t.TempDir(), "user.creds")
	fatal(t, os.WriteFile(file, text, 0o600))
	return file
}

func newPair(t testing.TB, create func() (nkeys.KeyPair, error)) (key nkeys.KeyPair, public string) {
	t.Helper()
	key, err := create()
	fatal(t, err)
	public, err = key.PublicKey()
	fatal(t, err)
	return key, public
}
