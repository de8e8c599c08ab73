package control

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/router"
)

// metadata describes an upload. Keys that have no meaning for a node are
// ignored, as clients send many; those whose absence a user would notice are
// refused.
// https://developers.cloudflare.com/workers/configuration/multipart-upload-metadata/
type metadata struct {
	MainModule        string        `json:"main_module"`
	BodyPart          string        `json:"body_part"` // of JavaScript in the older format
	CompatibilityDate string        `json:"compatibility_date"`
	Bindings          []bindingJSON `json:"bindings"`
	Limits            deploy.Limits `json:"limits"`
	Mayfly            mayflyJSON    `json:"mayfly"`
	// KeepBindings are types of bindings that the newest Version has and this one gets
	// as well. Secrets are always kept.
	KeepBindings []string          `json:"keep_bindings"`
	Annotations  map[string]string `json:"annotations"`

	Assets     *assetsJSON `json:"assets"`
	KeepAssets bool        `json:"keep_assets"`

	Migrations json.RawMessage `json:"migrations"`
}

// assetsType is that of the binding of static files.
const assetsType = "assets"

// assetsJSON are the static files of an upload.
type assetsJSON struct {
	JWT    string        `json:"jwt"` // of their session
	Config assets.Config `json:"config"`
}

// assets adds the static files to an upload.
func (m *metadata) assets(up *deploy.Upload) error {
	if m.Assets == nil {
		if m.KeepAssets {
			up.Assets = &deploy.UploadAssets{KeepConfig: true}
		}
		return nil
	}
	if m.Assets.JWT == "" && !m.KeepAssets {
		return badRequest("assets has no jwt: give the one of an upload that is complete, or keep_assets")
	}
	if up.Settings.Assets == nil {
		up.Settings.Assets = &deploy.Assets{}
	}
	up.Settings.Assets.Config = m.Assets.Config
	up.Assets = &deploy.UploadAssets{Session: m.Assets.JWT}
	return nil
}

// mayflyJSON is what Cloudflare has no key for. Its keys are those of
// mayfly.toml.
type mayflyJSON struct {
	Routes []routeJSON    `json:"routes"` // null leaves those of the Function as they are
	Limits deploy.Limits  `json:"limits"`
	Egress *deploy.Egress `json:"egress"`

	Snapshot deploy.SnapshotOptions `json:"snapshot"`
	// Handlers are kinds of events that the module has to handle, or it is refused.
	Handlers []string `json:"handlers"`
}

// UnmarshalJSON refuses unknown keys: what is not ours is a mistake here.
func (m *mayflyJSON) UnmarshalJSON(data []byte) error {
	type plain mayflyJSON
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode((*plain)(m))
}

// routeJSON is a pattern, alone or in an object whose other keys (zones) mean
// nothing to a node.
type routeJSON struct {
	Pattern      string `json:"pattern"`
	CustomDomain bool   `json:"custom_domain"`
	Enabled      *bool  `json:"enabled"`  // null is true
	Disabled     bool   `json:"disabled"` // as a node writes it
}

// UnmarshalJSON reads a string as an object with that pattern.
func (j *routeJSON) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &j.Pattern) == nil {
		return nil
	}
	type plain routeJSON
	return json.Unmarshal(data, (*plain)(j))
}

func (j *routeJSON) route() (deploy.Route, error) {
	disabled := j.Disabled || j.Enabled != nil && !*j.Enabled
	if j.CustomDomain {
		return deploy.DomainRoute(strings.TrimSuffix(j.Pattern, "/*"), disabled)
	}
	p, err := router.ParsePattern(j.Pattern)
	if err != nil {
		return deploy.Route{}, badRequest("%v", err)
	}
	return deploy.Route{Pattern: p, Disabled: disabled}, nil
}

// routesOf is nil for nil.
func routesOf(in []routeJSON) ([]deploy.Route, error) {
	if in == nil {
		return nil, nil
	}
	routes := make([]deploy.Route, 0, len(in))
	for _, j := range in {
		route, err := j.route()
		if err != nil {
			return nil, err
		}
		routes = append(routes, route)
	}
	return routes, nil
}

// upload is what the metadata says, without the module.
func (m *metadata) upload() (up deploy.Upload, err error) {
	up.Handlers = m.Mayfly.Handlers
	if up.Routes, err = routesOf(m.Mayfly.Routes); err != nil {
		return up, err
	}
	if len(m.Migrations) > 0 && string(m.Migrations) != "null" {
		return up, host.Errorf(host.CodeUnsupported, "migrations are not offered yet")
	}
	up.Settings = deploy.Settings{
		CompatibilityDate: m.CompatibilityDate,
		Limits:            m.Mayfly.Limits.Or(m.Limits),
		Egress:            m.Mayfly.Egress,
		Snapshot:          m.Mayfly.Snapshot,
		Vars:              map[string]deploy.Var{},
	}
	up.Note = deploy.Note{Message: m.Annotations[messageAnnotation], Tag: m.Annotations[tagAnnotation]}
	up.Alias = m.Annotations[aliasAnnotation]
	up.Secrets = map[string]*string{}
	for _, b := range m.Bindings {
		if err := b.into(&up); err != nil {
			return up, err
		}
	}
	return up, m.assets(&up)
}
