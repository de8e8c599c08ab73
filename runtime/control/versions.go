package control

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

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

func getSettings(r *request) error {
	f, v, err := r.function()
	if err != nil {
		return err
	}
	s := settingsJSON{
		Bindings: bindingsOf(v.Settings), CompatibilityDate: v.Settings.CompatibilityDate,
		CompatibilityFlags: []string{}, UsageModel: "standard", Limits: limitsOf(v.Settings.Limits),
	}
	for _, name := range f.SecretNames() {
		s.Bindings = append(s.Bindings, bindingJSON{Type: secretType, Name: name})
	}
	shown := r.scriptOf(f, v)
	s.Mayfly.Routes, s.Mayfly.URL = shown.Routes, shown.URL
	s.Mayfly.Limits, s.Mayfly.Egress = v.Settings.Limits, v.Settings.Egress
	return r.ok(s)
}

func bindingsOf(s deploy.Settings) []bindingJSON {
	list := []bindingJSON{}
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
	return list
}

type deploymentJSON struct {
	ID          string      `json:"id"`
	Source      string      `json:"source"`
	Strategy    string      `json:"strategy"`
	AuthorEmail string      `json:"author_email"` // a node has no users: the token's name
	CreatedOn   time.Time   `json:"created_on"`
	Versions    []shareJSON `json:"versions"`
}

type shareJSON struct {
	VersionID  string `json:"version_id"`
	Percentage int    `json:"percentage"`
}

func listDeployments(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	list := []deploymentJSON{}
	for _, d := range f.Deployments {
		j := deploymentJSON{ID: d.ID, Source: "api", Strategy: "percentage", AuthorEmail: d.Author, CreatedOn: d.Created}
		for _, s := range d.Versions {
			j.Versions = append(j.Versions, shareJSON{s.Version, s.Percentage})
		}
		list = append(list, j)
	}
	return r.ok(map[string]any{"deployments": list})
}

type versionJSON struct {
	ID       string              `json:"id"`
	Number   int                 `json:"number"`
	Metadata versionMetadataJSON `json:"metadata"`
}

type versionMetadataJSON struct {
	CreatedOn   time.Time `json:"created_on"`
	ModifiedOn  time.Time `json:"modified_on"`
	Source      string    `json:"source"`
	AuthorEmail string    `json:"author_email"`
	HasPreview  bool      `json:"hasPreview"`
}

func versionOf(v deploy.Version) versionJSON {
	return versionJSON{v.ID, v.Number, versionMetadataJSON{v.Created, v.Created, "api", v.Author, false}}
}

func listVersions(r *request) error {
	versions, err := r.api.registry.Versions(r.Context(), r.account(), r.params["script"])
	if err != nil {
		return err
	}
	list := []versionJSON{}
	for _, v := range versions {
		list = append(list, versionOf(v))
	}
	part, info, err := paginate(r, list)
	if err != nil {
		return err
	}
	return r.page(map[string]any{"items": part}, info)
}

func getVersion(r *request) error {
	v, err := r.api.registry.Version(r.Context(), r.account(), r.params["script"], r.params["version"])
	if err != nil {
		return err
	}
	return r.ok(struct {
		versionJSON
		Resources any `json:"resources"`
	}{versionOf(v), map[string]any{
		"script":   map[string]any{"etag": v.Digest, "size": v.Size, "handlers": []string{"fetch"}},
		"bindings": bindingsOf(v.Settings),
		"script_runtime": map[string]any{
			"compatibility_date": v.Settings.CompatibilityDate, "usage_model": "standard", "limits": limitsOf(v.Settings.Limits)},
	}})
}
