package deploy_test

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

func TestTokenRecord(t *testing.T) {
	n := newNode(t)
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	var passed atomic.Int64 // the registry has goroutines that look at the clock
	clock := func() time.Time { return at.Add(time.Duration(passed.Load())) }
	r, err := n.tryOpen(t, deploy.Config{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	mustAccount(t, r, "acme")
	text, made, err := r.CreateToken(t.Context(), deploy.TokenRequest{
		Account: "acme", Name: "ci", Scopes: deploy.ScopeRead | deploy.ScopeKV, Expires: at.Add(48 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	r.NoteUse(t.Context(), made)
	if _, err := r.ChangeToken(t.Context(), "acme", made.ID, func(q *deploy.TokenRequest) { q.Name = "cd" }); err != nil {
		t.Fatal(err)
	}
	r.Close()

	r, err = n.tryOpen(t, deploy.Config{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, ok := r.Authenticate(text)
	if !ok || got.Name != "cd" || !slices.Equal(got.ScopeNames(), []string{"read", "kv"}) || !got.LastUsed.Equal(at) || got.Created != made.Created {
		t.Errorf("got %+v, %v", got, ok)
	}
	passed.Store(int64(48 * time.Hour))
	if got, ok := r.Authenticate(text); ok || got.ID != made.ID {
		t.Errorf("got %+v, %v, want the token that expired", got, ok)
	}
}

// TestTokenOfBefore reads a record from before there were scopes.
func TestTokenOfBefore(t *testing.T) {
	var of deploy.Token
	if err := json.Unmarshal([]byte(`{"id":"x","kind":"account","account":"acme","name":"ci","created":"2026-01-01T00:00:00Z","hash":"x"}`), &of); err != nil {
		t.Fatal(err)
	}
	for scope, want := range map[deploy.Scopes]bool{deploy.ScopeRead: true, deploy.ScopeDeploy: true, deploy.ScopeKV: true, deploy.ScopeAdmin: false} {
		if of.May(scope) != want {
			t.Errorf("may %v: got %v, want %v", scope.Names(), !want, want)
		}
	}
	if of.Status(time.Now()) != deploy.TokenActive {
		t.Error("it is not active")
	}
}

func TestUnknownScopes(t *testing.T) {
	for _, text := range []string{`["write"]`, `[]`, `"read"`, `7`} {
		var s deploy.Scopes
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("%s is taken for %v", text, s.Names())
		}
	}
}

// TestNoteUseHammer revokes a token while many use it.
func TestNoteUseHammer(t *testing.T) {
	n := newNode(t)
	r := n.open(t)
	defer r.Close()
	text, made, err := r.CreateToken(t.Context(), deploy.TokenRequest{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for range 50 {
				if got, ok := r.Authenticate(text); ok {
					r.NoteUse(t.Context(), got)
				}
			}
		})
	}
	err = r.RevokeToken(t.Context(), "", made.ID)
	users.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Authenticate(text); ok {
		t.Error("a use brought the revoked token back")
	}
	r.Close()
	r = n.open(t)
	if list, err := r.Tokens(""); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v after a restart, want no token", list, err)
	}
}

func TestTokenErrors(t *testing.T) {
	r := newNode(t).open(t)
	defer r.Close()
	_, _, err := r.CreateToken(t.Context(), deploy.TokenRequest{Expires: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
	wantError(t, err, host.CodeInvalid, "a token expires before the year 10000, or never")
	_, _, err = r.CreateToken(t.Context(), deploy.TokenRequest{Account: "nobody"})
	wantError(t, err, host.CodeNotFound, `account "nobody" does not exist`)
	_, err = r.ChangeToken(t.Context(), "", "x", func(*deploy.TokenRequest) { err = errors.New("was called") })
	wantError(t, err, host.CodeNotFound, `token "x" does not exist`)
}
