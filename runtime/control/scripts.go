package control

import (
	"net/http"
	"strconv"
	"time"

	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// scriptJSON is a Function with the Version that serves.
type scriptJSON struct {
	ID           string         `json:"id"`
	ETag         string         `json:"etag"` // digest of the module
	Handlers     []string       `json:"handlers"`
	CreatedOn    time.Time      `json:"created_on"`
	ModifiedOn   time.Time      `json:"modified_on"`
	UsageModel   string         `json:"usage_model"`
	DeploymentID string         `json:"deployment_id"` // of the Version, as on Cloudflare: wrangler shows it as that
	VersionID    string         `json:"version_id"`
	URL          string         `json:"url"`
	Routes       []deploy.Route `json:"routes"`
	Mayfly       struct {
		Wants []string `json:"wants,omitempty"` // what an upload newly asks for
	} `json:"mayfly,omitzero"`
}

func (r *request) scriptOf(f deploy.Function, v deploy.Version) scriptJSON {
	return scriptJSON{
		ID: f.Name, ETag: v.Digest, Handlers: handlersOf(v),
		CreatedOn: f.Created, ModifiedOn: f.Modified, UsageModel: "standard",
		DeploymentID: v.ID, VersionID: v.ID,
		URL:    r.api.cfg.URL(r.api.registry.Host(f.Account, f.Name)),
		Routes: append([]deploy.Route{}, f.Routes...),
	}
}

// handlersOf are the handlers of a Version, as far as they were noted.
func handlersOf(v deploy.Version) []string {
	if len(v.Handlers) == 0 {
		return []string{"fetch"}
	}
	return v.Handlers
}

// function is the Function in the path.
func (r *request) function() (deploy.Function, deploy.Version, error) {
	return r.api.registry.Function(r.account(), r.params["script"])
}

func listScripts(r *request) error {
	functions, err := r.api.registry.Functions(r.account())
	if err != nil {
		return err
	}
	list := []scriptJSON{}
	for _, f := range functions {
		if f, v, err := r.api.registry.Function(f.Account, f.Name); err == nil { // else it was deleted just now
			list = append(list, r.scriptOf(f, v))
		}
	}
	return r.ok(list)
}

func downloadScript(r *request) error {
	module, v, err := r.api.registry.Download(r.Context(), r.account(), r.params["script"])
	if err != nil {
		return err
	}
	r.reply.Header().Set("ETag", `"`+v.Digest+`"`)
	if js.IsProgram(module) {
		return r.sendModules(module)
	}
	r.sendBytes(http.StatusOK, wasmType, module)
	return nil
}

func deleteScript(r *request) error {
	name := r.params["script"]
	force := r.URL.Query().Get("force") == "true"
	if err := r.api.registry.Delete(r.Context(), r.account(), name, force); err != nil {
		return err
	}
	r.api.cfg.Observer.Forget(r.account(), name)
	if err := r.api.registry.ForgetConsumer(r.Context(), r.account(), name); err != nil {
		return err
	}
	if r.api.cfg.Cron != nil {
		if err := r.api.cfg.Cron.Forget(r.Context(), r.account(), name); err != nil {
			return err
		}
	}
	if r.api.cfg.Invoke != nil {
		if err := r.api.cfg.Invoke.Forget(r.Context(), r.account(), name); err != nil {
			return err
		}
	}
	return r.ok(map[string]string{"id": name})
}

func getAccountSubdomain(r *request) error {
	a, err := r.api.registry.Account(r.account())
	if err != nil {
		return err
	}
	return r.ok(map[string]string{"subdomain": a.Name})
}

// subdomainJSON says whether a Function's own host serves, and whether its other
// Versions have hosts.
type subdomainJSON struct {
	Enabled         bool  `json:"enabled"`
	PreviewsEnabled *bool `json:"previews_enabled"` // null means as enabled
}

func subdomainOf(f deploy.Function) subdomainJSON {
	previews := !f.NoPreviews
	return subdomainJSON{!f.Hidden, &previews}
}

func getSubdomain(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	return r.ok(subdomainOf(f))
}

func setSubdomain(r *request) error {
	var in subdomainJSON
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	previews := in.Enabled
	if in.PreviewsEnabled != nil {
		previews = *in.PreviewsEnabled
	}
	r.note("enabled", strconv.FormatBool(in.Enabled))
	r.note("previews_enabled", strconv.FormatBool(previews))
	f, err := r.api.registry.SetHosts(r.Context(), r.account(), r.params["script"], in.Enabled, previews)
	if err != nil {
		return err
	}
	return r.ok(subdomainOf(f))
}

// listTailProducers: no Function sends what it does to another one. wrangler asks
// before it deletes one.
func listTailProducers(r *request) error {
	if _, _, err := r.function(); err != nil {
		return err
	}
	return r.ok([]string{})
}

// getService is how wrangler finds out that a Function is there.
func getService(r *request) error {
	f, v, err := r.function()
	if err != nil {
		return err
	}
	shown := r.scriptOf(f, v)
	environment := map[string]any{"environment": "production", "created_on": f.Created, "modified_on": f.Modified, "script": shown}
	return r.ok(map[string]any{"id": f.Name, "created_on": f.Created, "modified_on": f.Modified,
		"default_environment": environment, "environments": []any{environment}})
}
