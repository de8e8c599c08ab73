package control

import (
	"time"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

type tokenJSON struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Status   string    `json:"status"`
	IssuedOn time.Time `json:"issued_on"`
	// CreatedOn is the same under the name that other resources have for it.
	CreatedOn time.Time `json:"created_on"`
	Value     string    `json:"value,omitempty"` // of a token that was just made
}

func tokenOf(t deploy.Token, value string) tokenJSON {
	return tokenJSON{t.ID, t.Name, "active", t.Created, t.Created, value}
}

func verifyToken(r *request) error {
	return r.ok(map[string]string{"id": r.token.ID, "status": "active"})
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
		list = append(list, tokenOf(t, ""))
	}
	return r.ok(list)
}

func createToken(r *request) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	text, t, err := r.api.registry.CreateToken(r.Context(), r.account(), in.Name)
	if err != nil {
		return err
	}
	r.note("token", t.ID)
	r.note("token_name", t.Name)
	return r.ok(tokenOf(t, text))
}

func revokeToken(r *request) error {
	id := r.params["token"]
	if err := r.api.registry.RevokeToken(r.Context(), r.account(), id); err != nil {
		return err
	}
	return r.ok(map[string]string{"id": id})
}
