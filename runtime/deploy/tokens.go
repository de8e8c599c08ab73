package deploy

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// What a token is good for.
const (
	KindAdmin   = "admin"   // everything
	KindAccount = "account" // one account, within the token's Scopes
)

// Bounds of tokens.
const (
	maxTokens    = 1000 // of one account, and of administrators
	maxTokenName = 128  // bytes
)

// Token is what is known about a token: not the token itself, only its hash.
//
// A token is "mayfly_<kind>_<secret><checksum>": 30 random base62 characters
// (178 bits) and, so that scanners for leaked secrets can tell it from other
// text, the CRC-32 of everything before it as 6 base62 characters.
type Token struct {
	ID      string    `json:"id"` // the first half of Hash
	Kind    string    `json:"kind"`
	Account string    `json:"account,omitempty"` // of KindAccount
	Name    string    `json:"name"`              // for people
	Created time.Time `json:"created"`
	// Scopes of KindAccount. None: DefaultScopes.
	Scopes Scopes `json:"scopes,omitempty"`
	// Expires is when the token ends to be good; zero: never.
	Expires  time.Time `json:"expires,omitzero"`
	Disabled bool      `json:"disabled,omitempty"`
	// LastUsed is up to an hour behind; zero: never used.
	LastUsed time.Time `json:"last_used,omitzero"`
	// Hash is the token's SHA-256 in hexadecimal digits. A slow hash is for
	// secrets that could be guessed.
	Hash string `json:"hash"`
	// File: EnsureAdminToken made it and wrote it to a file.
	File bool `json:"file,omitempty"`
	// Node is the one of a cluster whose file it is.
	Node string `json:"node,omitempty"`
}

const (
	base62         = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	secretLength   = 30
	checksumLength = 6 // 62^6 > 2^32
	tokenIDLength  = 32
)

// newToken makes a token.
func newToken(kind string) string {
	text := "mayfly_" + kind + "_" + randomBase62(secretLength)
	return text + checksum(text)
}

func randomBase62(n int) string {
	const fair = 256 - 256%len(base62) // bytes from here on would favour some characters
	text := make([]byte, 0, n)
	var b [1]byte
	for len(text) < n {
		if rand.Read(b[:]); int(b[0]) < fair {
			text = append(text, base62[int(b[0])%len(base62)])
		}
	}
	return string(text)
}

func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	var digits [checksumLength]byte
	for i := range slices.Backward(digits[:]) {
		digits[i] = base62[sum%uint32(len(base62))]
		sum /= uint32(len(base62))
	}
	return string(digits[:])
}

// isToken reports whether text has the form of a token.
func isToken(text string) bool {
	secret, ok := strings.CutPrefix(text, "mayfly_"+KindAdmin+"_")
	if !ok {
		secret, ok = strings.CutPrefix(text, "mayfly_"+KindAccount+"_")
	}
	split := len(text) - checksumLength
	return ok && len(secret) == secretLength+checksumLength && checksum(text[:split]) == text[split:]
}

func hashToken(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Authenticate finds what a token is good for. It returns false if it is good
// for nothing, and then the Token if there is one that expired or is disabled.
func (r *Registry) Authenticate(token string) (Token, bool) {
	if !isToken(token) {
		return Token{}, false
	}
	hash := hashToken(token)
	t, ok := r.current.Load().tokens[hash[:tokenIDLength]]
	same := subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hash)) == 1
	if !ok || !same {
		return Token{}, false
	}
	return t, t.Status(r.now()) == TokenActive
}

// Tokens returns the tokens of an account, or with "" those of administrators,
// oldest first.
func (r *Registry) Tokens(account string) ([]Token, error) {
	s := r.current.Load()
	if account != "" {
		if _, err := s.account(account); err != nil {
			return nil, err
		}
	}
	return s.tokensOf(account), nil
}

func (s *snapshot) tokensOf(account string) []Token {
	var list []Token
	for _, t := range s.tokens {
		if t.Account == account {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b Token) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// Token returns a token of an account, or with "" one for administrators.
func (r *Registry) Token(account, id string) (Token, error) {
	return r.current.Load().token(account, id)
}

func (s *snapshot) token(account, id string) (Token, error) {
	t, ok := s.tokens[id]
	if !ok || t.Account != account {
		return Token{}, host.Errorf(host.CodeNotFound, "token %q does not exist", id)
	}
	return t, nil
}

// RevokeToken removes a token of an account, or with "" one for administrators.
func (r *Registry) RevokeToken(ctx context.Context, account, id string) error {
	return r.exclusively(ctx, func(ctx context.Context) error {
		t, err := r.current.Load().token(account, id)
		if err != nil {
			return err
		}
		return r.revoke(ctx, t)
	})
}

// revoke needs r.mu.
func (r *Registry) revoke(ctx context.Context, t Token) error {
	next := r.current.Load().clone()
	if err := r.deleteRecord(ctx, next, tokenRecords+t.ID); err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	delete(next.tokens, t.ID)
	r.publish(next)
	return nil
}
