package control

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// tokenJSON is a token in Cloudflare's shape, with the names of its scopes.
// https://developers.cloudflare.com/api/resources/accounts/subresources/tokens/
type tokenJSON struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Status   string    `json:"status"`
	IssuedOn time.Time `json:"issued_on"`
	// CreatedOn is the same under the name that other resources have for it.
	CreatedOn  time.Time    `json:"created_on"`
	ExpiresOn  time.Time    `json:"expires_on,omitzero"`
	LastUsedOn time.Time    `json:"last_used_on,omitzero"`
	Policies   []policyJSON `json:"policies"`
	Scopes     []string     `json:"scopes,omitempty"`
	Account    string       `json:"account,omitempty"`
	Value      string       `json:"value,omitempty"` // of a token that was just made
}

func (r *request) tokenOf(t deploy.Token, value string) tokenJSON {
	j := tokenJSON{
		ID: t.ID, Name: t.Name, Status: t.Status(r.api.cfg.Now()), IssuedOn: t.Created, CreatedOn: t.Created,
		ExpiresOn: t.Expires, LastUsedOn: t.LastUsed, Policies: []policyJSON{}, Account: t.Account, Value: value,
	}
	if t.Kind == deploy.KindAccount {
		j.Scopes = t.ScopeNames()
		j.Policies = append(j.Policies, policyOf(t))
	}
	return j
}

// verifyToken tells about the token that asks.
func verifyToken(r *request) error {
	t := r.tokenOf(r.token, "")
	verified := map[string]any{"id": t.ID, "status": t.Status, "name": t.Name, "kind": r.token.Kind}
	if !t.ExpiresOn.IsZero() {
		verified["expires_on"] = t.ExpiresOn
	}
	if t.Account != "" {
		verified["account"], verified["scopes"] = t.Account, t.Scopes
	}
	return r.ok(verified)
}

// The routes of tokens have no account in their path where they are about those
// of administrators; account is "" then, as the Registry wants it.

func listTokens(r *request) error {
	tokens, err := r.api.registry.Tokens(r.account())
	if err != nil {
		return err
	}
	list := []tokenJSON{}
	for _, t := range tokens {
		list = append(list, r.tokenOf(t, ""))
	}
	part, info, err := paginate(r, list)
	if err != nil {
		return err
	}
	return r.page(part, info)
}

func getToken(r *request) error {
	t, err := r.api.registry.Token(r.account(), r.params["token"])
	if err != nil {
		return err
	}
	return r.ok(r.tokenOf(t, ""))
}

// tokenRequest is the body that makes or changes a token. What would narrow it
// and is not offered is refused: without it the token could do more than was
// asked for.
type tokenRequest struct {
	Name      *string         `json:"name"`
	Scopes    []string        `json:"scopes"`
	Policies  []policyJSON    `json:"policies"`
	ExpiresOn nullableTime    `json:"expires_on"`
	Status    string          `json:"status"`
	NotBefore nullableTime    `json:"not_before"`
	Condition json.RawMessage `json:"condition"`

	scopes deploy.Scopes
}

// nullableTime tells null from what is left out.
type nullableTime struct {
	given bool
	time  time.Time
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *nullableTime) UnmarshalJSON(data []byte) error {
	n.given = true
	if err := json.Unmarshal(data, &n.time); err != nil {
		return badRequest(`%.40s is not a time such as "2027-01-31T12:00:00Z"`, data)
	}
	return nil
}

func (r *request) readToken() (in tokenRequest, err error) {
	if err := r.readJSON(maxJSON, &in); err != nil {
		return in, err
	}
	condition := strings.TrimSpace(string(in.Condition))
	switch {
	case !in.NotBefore.time.IsZero():
		return in, badRequest("not_before is not offered; leave it out, and make the token when it is needed")
	case condition != "" && condition != "null" && condition != "{}":
		return in, badRequest("condition is not offered: a token is good from any address; leave it out")
	case in.Status != "" && in.Status != deploy.TokenActive && in.Status != deploy.TokenDisabled:
		return in, badRequest("status is %q; active or disabled is expected", in.Status)
	case in.Scopes != nil && in.Policies != nil:
		return in, badRequest("scopes and policies exclude each other")
	case in.Scopes != nil:
		in.scopes, err = deploy.ParseScopes(in.Scopes)
	case in.Policies != nil:
		in.scopes, err = scopesOf(r.account(), in.Policies)
	}
	return in, err
}

// apply puts into q what the body gives.
func (in tokenRequest) apply(q *deploy.TokenRequest) {
	if in.Name != nil {
		q.Name = *in.Name
	}
	if in.scopes != 0 {
		q.Scopes = in.scopes
	}
	if in.ExpiresOn.given {
		q.Expires = in.ExpiresOn.time
	}
	if in.Status != "" {
		q.Disabled = in.Status == deploy.TokenDisabled
	}
}

func createToken(r *request) error {
	in, err := r.readToken()
	if err != nil {
		return err
	}
	q := deploy.TokenRequest{Account: r.account()}
	in.apply(&q)
	text, t, err := r.api.registry.CreateToken(r.Context(), q)
	if err != nil {
		return err
	}
	r.noteToken(t)
	return r.ok(r.tokenOf(t, text))
}

func changeToken(r *request) error {
	in, err := r.readToken()
	if err != nil {
		return err
	}
	t, err := r.api.registry.ChangeToken(r.Context(), r.account(), r.params["token"], in.apply)
	if err != nil {
		return err
	}
	r.noteToken(t)
	return r.ok(r.tokenOf(t, ""))
}

// noteToken tells the audit log what a token is good for now.
func (r *request) noteToken(t deploy.Token) {
	r.note("token", t.ID)
	r.note("token_name", t.Name)
	if t.Kind == deploy.KindAccount {
		r.note("scopes", strings.Join(t.ScopeNames(), " "))
	}
	if !t.Expires.IsZero() {
		r.note("expires_on", t.Expires.Format(time.RFC3339))
	}
	if t.Disabled {
		r.note("status", deploy.TokenDisabled)
	}
}

func revokeToken(r *request) error {
	id := r.params["token"]
	if err := r.api.registry.RevokeToken(r.Context(), r.account(), id); err != nil {
		return err
	}
	return r.ok(map[string]string{"id": id})
}
