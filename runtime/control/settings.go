package control

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

type settingsJSON struct {
	Bindings           []bindingJSON `json:"bindings"`
	CompatibilityDate  string        `json:"compatibility_date"`
	CompatibilityFlags []string      `json:"compatibility_flags"`
	UsageModel         string        `json:"usage_model"`
	Limits             limitsJSON    `json:"limits"`
	Mayfly             struct {
		Routes []deploy.Route `json:"routes"`
		Limits deploy.Limits  `json:"limits"`
		Egress *deploy.Egress `json:"egress"`
		URL    string         `json:"url"`
	} `json:"mayfly"`
}

// limitsJSON are the limits that Cloudflare knows.
type limitsJSON struct {
	CPUMillis   int64 `json:"cpu_ms,omitempty"`
	Subrequests int64 `json:"subrequests,omitempty"`
}

func limitsOf(l deploy.Limits) limitsJSON { return limitsJSON{l.CPUMillis, l.Subrequests} }

// getSettings tells of the newest Version.
func getSettings(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	v, err := r.api.registry.Newest(r.Context(), f.Account, f.Name)
	if err != nil {
		return err
	}
	s := settingsJSON{
		Bindings: bindingsOf(v), CompatibilityDate: v.Settings.CompatibilityDate,
		CompatibilityFlags: []string{}, UsageModel: "standard", Limits: limitsOf(v.Settings.Limits),
	}
	shown := r.scriptOf(f, v)
	s.Mayfly.Routes, s.Mayfly.URL = shown.Routes, shown.URL
	s.Mayfly.Limits, s.Mayfly.Egress = v.Settings.Limits, v.Settings.Egress
	return r.ok(s)
}

// bindingsOf are the bindings of a Version; of secrets without their text.
func bindingsOf(version deploy.Version) []bindingJSON {
	s, list := version.Settings, []bindingJSON{}
	for _, name := range slices.Sorted(maps.Keys(s.Vars)) {
		v := s.Vars[name]
		if v.JSON != nil {
			list = append(list, bindingJSON{Type: "json", Name: name, JSON: json.RawMessage(v.JSON)})
			continue
		}
		list = append(list, bindingJSON{Type: "plain_text", Name: name, Text: &v.Text})
	}
	for _, ns := range s.KVNamespaces {
		list = append(list, bindingJSON{Type: "kv_namespace", Name: ns.Binding, NamespaceID: ns.ID})
	}
	list = append(list, namedBindings(s)...)
	if s.Assets != nil && s.Assets.Binding != "" {
		list = append(list, bindingJSON{Type: assetsType, Name: s.Assets.Binding})
	}
	for _, name := range version.SecretNames() {
		list = append(list, bindingJSON{Type: secretType, Name: name})
	}
	return list
}

// scriptSettingsJSON are what belongs to a Function and not to a Version. A node has
// none of them; clients ask all the same.
type scriptSettingsJSON struct {
	Logpush       bool     `json:"logpush"`
	Tags          []string `json:"tags"`
	TailConsumers []string `json:"tail_consumers"`
}

func getScriptSettings(r *request) error {
	if _, _, err := r.function(); err != nil {
		return err
	}
	return r.ok(scriptSettingsJSON{Tags: []string{}, TailConsumers: []string{}})
}

// patchScriptSettings takes what wrangler sends after each deploy.
func patchScriptSettings(r *request) error {
	var ignored json.RawMessage
	if err := r.readJSON(maxJSON, &ignored); err != nil {
		return err
	}
	return getScriptSettings(r)
}

// maxSettings is the longest body of a change of settings, in bytes.
const maxSettings = maxSecretPatchBody

// patchSettings changes secrets by a list of all bindings, as 'wrangler secret bulk'
// does. Those that come without content stay; other bindings need an upload.
func patchSettings(r *request) error {
	var in struct {
		Bindings []bindingJSON `json:"bindings"`
	}
	r.limitBody(maxSettings)
	if err := r.ParseMultipartForm(maxSettings); err != nil {
		return badRequest("the form cannot be read: %v", err)
	}
	if err := json.Unmarshal([]byte(r.FormValue("settings")), &in); err != nil {
		return badRequest("the form has no field named settings with the JSON expected: %v", err)
	}
	v, err := r.api.registry.Newest(r.Context(), r.account(), r.params["script"])
	if err != nil {
		return err
	}
	texts, err := secretsIn(in.Bindings, v)
	if err != nil {
		return err
	}
	if len(texts) > 0 {
		if err := r.setSecrets(texts); err != nil {
			return err
		}
		r.noteSecrets(texts)
	}
	return getSettings(r)
}

// secretsIn are the secrets that a list of all bindings puts, and those that it
// lacks.
func secretsIn(list []bindingJSON, v deploy.Version) (map[string]*string, error) {
	texts := map[string]*string{}
	for _, name := range v.SecretNames() {
		texts[name] = nil
	}
	missing := map[string]bool{}
	for _, b := range bindingsOf(v) {
		missing[b.Name] = b.Type != secretType
	}
	for _, b := range list {
		other, known := missing[b.Name]
		switch {
		case b.Type == secretType && b.Text != nil && !other:
			texts[b.Name] = b.Text
		case !known || b.Text != nil || b.JSON != nil:
			return nil, host.Errorf(host.CodeUnsupported, "binding %q: only secrets can be changed without an upload", b.Name)
		default:
			delete(texts, b.Name)
		}
		missing[b.Name] = false
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if missing[name] {
			return nil, host.Errorf(host.CodeUnsupported, "binding %q is not in the list, and can't be removed without an upload", name)
		}
	}
	return texts, nil
}
