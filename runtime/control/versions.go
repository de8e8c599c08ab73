package control

import (
	"errors"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// versionJSON is a Version in lists.
type versionJSON struct {
	ID          string              `json:"id"`
	Number      int                 `json:"number"`
	Metadata    versionMetadataJSON `json:"metadata"`
	Annotations map[string]string   `json:"annotations"`
	Mayfly      versionMayflyJSON   `json:"mayfly"`
}

type versionMetadataJSON struct {
	CreatedOn   time.Time `json:"created_on"`
	ModifiedOn  time.Time `json:"modified_on"`
	Source      string    `json:"source"`
	AuthorEmail string    `json:"author_email"` // a node has no users: the token's name
	// Both are in use: the first in lists, the other in answers to uploads.
	HasPreview  bool `json:"hasPreview"`
	HasPreview2 bool `json:"has_preview"`
}

// versionMayflyJSON is what Cloudflare has no key for.
type versionMayflyJSON struct {
	PreviewURL string `json:"preview_url,omitempty"`
	Size       int64  `json:"size"` // bytes of the module
}

const (
	messageAnnotation = "workers/message"
	tagAnnotation     = "workers/tag"
	aliasAnnotation   = "workers/alias"
	triggerAnnotation = "workers/triggered_by"
)

func (r *request) versionOf(f deploy.Function, v deploy.Version) versionJSON {
	j := versionJSON{
		ID: v.ID, Number: v.Number,
		Metadata:    versionMetadataJSON{v.Created, v.Created, "api", v.Author, !f.NoPreviews, !f.NoPreviews},
		Annotations: map[string]string{}, Mayfly: versionMayflyJSON{Size: v.Size},
	}
	for key, text := range map[string]string{messageAnnotation: v.Message, tagAnnotation: v.Tag, triggerAnnotation: v.Trigger} {
		if text != "" {
			j.Annotations[key] = text
		}
	}
	for alias, id := range f.Aliases {
		if id == v.ID {
			j.Annotations[aliasAnnotation] = alias
		}
	}
	if !f.NoPreviews {
		j.Mayfly.PreviewURL = r.api.cfg.URL(r.api.registry.PreviewHost(f.Account, f.Name, v.ID, ""))
	}
	return j
}

func listVersions(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	versions, err := r.api.registry.Versions(r.Context(), f.Account, f.Name)
	if err != nil {
		return err
	}
	list := []versionJSON{}
	for _, v := range versions {
		list = append(list, r.versionOf(f, v))
	}
	part, info, err := paginate(r, list)
	if err != nil {
		return err
	}
	return r.page(map[string]any{"items": part}, info)
}

// fullVersionJSON is a Version with what it consists of.
type fullVersionJSON struct {
	versionJSON
	Resources     resourcesJSON `json:"resources"`
	StartupTimeMS int           `json:"startup_time_ms"` // its initialisation is in its snapshot
}

type resourcesJSON struct {
	Script        map[string]any `json:"script"`
	Bindings      []bindingJSON  `json:"bindings"`
	ScriptRuntime map[string]any `json:"script_runtime"`
}

func (r *request) fullVersionOf(f deploy.Function, v deploy.Version) fullVersionJSON {
	return fullVersionJSON{versionJSON: r.versionOf(f, v), Resources: resourcesJSON{
		Script:   map[string]any{"etag": v.Digest, "size": v.Size, "handlers": handlersOf(v)},
		Bindings: bindingsOf(v),
		ScriptRuntime: map[string]any{
			"compatibility_date": v.Settings.CompatibilityDate, "compatibility_flags": []string{},
			"usage_model": "standard", "limits": limitsOf(v.Settings.Limits)},
	}}
}

func getVersion(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	v, err := r.api.registry.Version(r.Context(), f.Account, f.Name, r.params["version"])
	if err != nil {
		return err
	}
	return r.ok(r.fullVersionOf(f, v))
}

// uploadVersion stores a new Version, and leaves what serves as it is.
func uploadVersion(r *request) error {
	v, err := r.upload(true)
	if err != nil {
		return err
	}
	f, _, err := r.function()
	if err != nil {
		return err
	}
	return r.ok(r.fullVersionOf(f, v))
}

// pruneVersions removes all but the newest Versions.
func pruneVersions(r *request) error {
	var in struct {
		Keep int `json:"keep"`
	}
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	removed, err := r.api.registry.PruneVersions(r.Context(), r.account(), r.params["script"], in.Keep)
	if err != nil {
		return err
	}
	r.note("removed", strings.Join(removed, " "))
	return r.ok(map[string]any{"removed": append([]string{}, removed...)})
}

// diffVersions tells how two Versions differ.
func diffVersions(r *request) error {
	a, err := r.api.registry.Version(r.Context(), r.account(), r.params["script"], r.params["version"])
	if err != nil {
		return err
	}
	b, err := r.api.registry.Version(r.Context(), r.account(), r.params["script"], r.params["other"])
	if err != nil {
		return err
	}
	return r.ok(map[string]any{"changes": append([]deploy.Change{}, deploy.Diff(a, b)...)})
}

// mainModule is the name under which a module is sent, as its own is not kept.
const mainModule = "main.wasm"

// downloadContent sends the module of a Version, by default of the one that serves,
// in the form in which it could be uploaded.
func downloadContent(r *request) error {
	f, v, err := r.function()
	if err != nil {
		return err
	}
	if id := r.URL.Query().Get("version"); id != "" {
		if v, err = r.api.registry.Version(r.Context(), f.Account, f.Name, id); err != nil {
			return err
		}
	}
	module, err := r.api.registry.Module(r.Context(), v)
	if err != nil {
		return err
	}
	return r.sendModules(module)
}

// inherit gives an upload those bindings of the newest Version that it asks for.
func (r *request) inherit(up *deploy.Upload, m *metadata) error {
	var asked []bindingJSON
	for _, b := range m.Bindings {
		if b.Type == "inherit" {
			asked = append(asked, b)
		}
	}
	if len(asked)+len(m.KeepBindings) == 0 {
		return nil
	}
	base, err := r.api.registry.Newest(r.Context(), r.account(), r.params["script"])
	if e, ok := errors.AsType[*host.Error](err); ok && e.Code == host.CodeNotFound && len(asked) == 0 {
		return nil // there is nothing to keep
	}
	if err != nil {
		return err
	}
	for _, b := range asked {
		if _, secret := base.Secrets[b.Name]; !secret && !up.Settings.Inherit(base.Settings, b.Name) {
			return badRequest("binding %q can't be inherited: the newest version has none of that name", b.Name)
		}
	}
	up.Settings.Keep(base.Settings, m.KeepBindings)
	return nil
}
