package deploy

import (
	"context"
	"errors"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// What a token's Status may be, in Cloudflare's words.
// https://developers.cloudflare.com/api/resources/user/subresources/tokens/
const (
	TokenActive   = "active"
	TokenDisabled = "disabled"
	TokenExpired  = "expired"
)

// useInterval bounds how far LastUsed is behind, and so how often it is written.
const useInterval = time.Hour

// lastExpiry is the last time that RFC 3339 can write.
func lastExpiry() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }

// Status tells whether the token is good at a time.
func (t Token) Status(now time.Time) string {
	switch {
	case t.Disabled:
		return TokenDisabled
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return TokenExpired
	}
	return TokenActive
}

// May reports whether the token has one of the scopes, or one that includes it.
func (t Token) May(any Scopes) bool { return t.Kind == KindAdmin || t.scopes().all()&any != 0 }

func (t Token) scopes() Scopes {
	if t.Scopes == 0 && t.Kind == KindAccount {
		return DefaultScopes
	}
	return t.Scopes
}

// ScopeNames are the names of the token's scopes; none for administrators, who
// may do everything.
func (t Token) ScopeNames() []string { return t.scopes().Names() }

// TokenRequest says what a token is to be.
type TokenRequest struct {
	Account  string // "": it is for administrators
	Name     string // at most 128 bytes
	Scopes   Scopes // of an account; default DefaultScopes
	Expires  time.Time
	Disabled bool
}

// apply checks the request, and makes the Token what it says.
func (q TokenRequest) apply(t *Token, now time.Time) error {
	switch {
	case len(q.Name) > maxTokenName:
		return invalid("the name of a token has at most %d bytes", maxTokenName)
	case q.Account == "" && q.Scopes != 0:
		return invalid("a token for administrators may do everything; give scopes to a token of an account")
	case !q.Expires.IsZero() && !q.Expires.Equal(t.Expires) && !q.Expires.After(now):
		return invalid("a token cannot expire in the past, at %s", q.Expires.UTC().Format(time.RFC3339))
	case q.Expires.After(lastExpiry()):
		return invalid("a token expires before the year 10000, or never")
	}
	t.Name, t.Scopes, t.Expires, t.Disabled = q.Name, q.Scopes, q.Expires, q.Disabled
	if !t.Expires.IsZero() {
		t.Expires = t.Expires.UTC()
	}
	return nil
}

// CreateToken makes a token. The text is not kept and cannot be had again.
func (r *Registry) CreateToken(ctx context.Context, q TokenRequest) (text string, t Token, err error) {
	t.Account = q.Account
	if err := q.apply(&t, r.now()); err != nil {
		return "", Token{}, err
	}
	return r.createToken(ctx, t)
}

// createToken completes t.
func (r *Registry) createToken(ctx context.Context, t Token) (text string, _ Token, err error) {
	t.Kind = KindAdmin
	if t.Account != "" {
		t.Kind = KindAccount
	}
	text = newToken(t.Kind)
	t.Created, t.Hash = r.now(), hashToken(text)
	t.ID = t.Hash[:tokenIDLength]
	err = r.exclusively(ctx, func(ctx context.Context) error {
		next := r.current.Load().clone()
		if t.Account != "" {
			if _, err := next.account(t.Account); err != nil {
				return err
			}
		}
		if n := len(next.tokensOf(t.Account)); n >= maxTokens {
			return host.Errorf(host.CodeLimit, "there are %d tokens, which is the limit; revoke some", n)
		}
		next.tokens[t.ID] = t
		return r.putRecord(ctx, next, tokenRecords+t.ID, t, false)
	})
	if err != nil {
		return "", Token{}, err
	}
	return text, t, nil
}

// ChangeToken lets change say what a token of an account, or with "" one for
// administrators, is to be from now on. The account stays.
func (r *Registry) ChangeToken(ctx context.Context, account, id string, change func(*TokenRequest)) (Token, error) {
	var t Token
	err := r.exclusively(ctx, func(ctx context.Context) (err error) {
		next := r.current.Load().clone()
		if t, err = next.token(account, id); err != nil {
			return err
		}
		q := TokenRequest{t.Account, t.Name, t.Scopes, t.Expires, t.Disabled}
		change(&q)
		if err := q.apply(&t, r.now()); err != nil {
			return err
		}
		next.tokens[id] = t
		return r.putRecord(ctx, next, tokenRecords+id, t, false)
	})
	if err != nil {
		return Token{}, err
	}
	return t, nil
}

// noteTimeout is how long a use may hold up changes, those of other nodes included,
// where the store hardly answers.
const noteTimeout = 2 * time.Second

// NoteUse keeps that a token was used, at most once an hour. Nobody waits for a
// change that is under way: a later use will do. It is no change that others have to
// wait for either: nothing but the record itself is compared.
func (r *Registry) NoteUse(ctx context.Context, t Token) {
	now := r.now()
	if now.Sub(t.LastUsed) < useInterval || !r.mu.TryLock() {
		return
	}
	defer r.mu.Unlock()
	next := r.current.Load().clone()
	t, ok := next.tokens[t.ID]
	if !ok || now.Sub(t.LastUsed) < useInterval {
		return
	}
	t.LastUsed = now
	key := tokenRecords + t.ID
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	revision, err := write(writing, r.cfg.Store, key, t, kv.PutOptions{If: kv.IfRevision(next.revisions[key])})
	switch {
	case err == nil:
		next.revisions[key] = revision
	case errors.Is(err, kv.ErrConflict) && r.cluster != nil: // another node has changed it
		return
	default:
		r.cfg.Logger.Warn("the time at which a token was used is not kept", "token", t.ID, "err", err)
		if r.refresh(ctx, key) == nil {
			next = r.current.Load().clone() // it may have been written all the same
		}
		if _, there := next.tokens[t.ID]; !there {
			return
		}
	}
	next.tokens[t.ID] = t // also if it could not be written, so as to try again in an hour
	r.publish(next)
}
