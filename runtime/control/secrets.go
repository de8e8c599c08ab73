package control

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

const secretType = "secret_text"

// Bounds of one change of many secrets: Cloudflare's, and what that many have as
// JSON at most.
const (
	maxSecretPatch     = 100
	maxSecretPatchBody = 4 << 20 // bytes
)

// secretJSON is a secret without its text, which no answer has.
type secretJSON struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// secretInput is a secret as it arrives.
type secretInput struct {
	Name string  `json:"name"`
	Text *string `json:"text"`
	Type string  `json:"type"`
}

func (s *secretInput) check() error {
	switch {
	case s.Type != "" && s.Type != secretType:
		return host.Errorf(host.CodeUnsupported, "secret %q: the type %q is not offered, only %s is", s.Name, s.Type, secretType)
	case s.Name == "":
		return badRequest("the secret has no name")
	case s.Text == nil:
		return badRequest("secret %q has no text", s.Name)
	}
	return nil
}

// noSecret has Cloudflare's code.
func noSecret(name string) error {
	return &failure{http.StatusNotFound, 10056, "there is no secret " + name}
}

func listSecrets(r *request) error {
	v, err := r.api.registry.Newest(r.Context(), r.account(), r.params["script"])
	if err != nil {
		return err
	}
	list := []secretJSON{}
	for _, name := range v.SecretNames() {
		list = append(list, secretJSON{name, secretType})
	}
	return r.ok(list)
}

// hasSecret is an error if the Function in the path lacks the secret there.
func (r *request) hasSecret() (name string, err error) {
	v, err := r.api.registry.Newest(r.Context(), r.account(), r.params["script"])
	if err != nil {
		return "", err
	}
	name = r.params["secret"]
	if _, ok := v.Secrets[name]; !ok {
		return "", noSecret(name)
	}
	return name, nil
}

func getSecret(r *request) error {
	name, err := r.hasSecret()
	if err != nil {
		return err
	}
	return r.ok(secretJSON{name, secretType})
}

func putSecret(r *request) error {
	var in secretInput
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	if err := r.setSecrets(map[string]*string{in.Name: in.Text}); err != nil {
		return err
	}
	r.note("secret", in.Name)
	return r.ok(secretJSON{in.Name, secretType})
}

func deleteSecret(r *request) error {
	name, err := r.hasSecret()
	if err != nil {
		return err
	}
	if err := r.setSecrets(map[string]*string{name: nil}); err != nil {
		return err
	}
	return r.ok(nil)
}

func (r *request) setSecrets(texts map[string]*string) error {
	set := r.api.registry.SetSecrets
	if r.URL.Query().Get("deploy") == "false" {
		set = r.api.registry.StoreSecrets
	}
	v, err := set(r.Context(), r.account(), r.params["script"], r.token.Name, texts)
	if errors.Is(err, deploy.ErrNotServing) {
		return &failure{http.StatusConflict, 10215, err.Error()} // Cloudflare's code
	}
	if err == nil {
		r.note("version", v.ID)
	}
	return err
}

// noteSecrets notes the names of secrets that were put, and deleted.
func (r *request) noteSecrets(texts map[string]*string) {
	var put, deleted []string
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if texts[name] == nil {
			deleted = append(deleted, name)
			continue
		}
		put = append(put, name)
	}
	if len(put) > 0 {
		r.note("secrets", strings.Join(put, " "))
	}
	if len(deleted) > 0 {
		r.note("deleted_secrets", strings.Join(deleted, " "))
	}
}

// patchSecrets puts secrets, and deletes those that are null.
func patchSecrets(r *request) error {
	var in struct {
		Secrets map[string]*secretInput `json:"secrets"`
	}
	if err := r.readJSON(maxSecretPatchBody, &in); err != nil {
		return err
	}
	if n := len(in.Secrets); n > maxSecretPatch {
		return badRequest("%d secrets were given; at most %d are allowed", n, maxSecretPatch)
	}
	texts, result := map[string]*string{}, map[string]secretJSON{}
	for _, name := range slices.Sorted(maps.Keys(in.Secrets)) {
		s := in.Secrets[name]
		if s == nil {
			texts[name] = nil
			continue
		}
		s.Name = cmp.Or(s.Name, name)
		if err := s.check(); err != nil {
			return err
		}
		if s.Name != name {
			return badRequest("the secret under the key %q has the name %q", name, s.Name)
		}
		texts[name], result[name] = s.Text, secretJSON{name, secretType}
	}
	if err := r.setSecrets(texts); err != nil {
		return err
	}
	r.noteSecrets(texts)
	return r.ok(result)
}
