package deploy

import (
	"cmp"
	"context"
	"errors"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/assets"
)

// Assets are the static files of a Version.
type Assets struct {
	assets.Config
	// Binding is the name by which the module asks for them; empty if it does not.
	Binding  string    `json:"binding,omitempty"`
	Manifest kv.Digest `json:"manifest"` // of the blob
	Files    int       `json:"files"`
	Bytes    int64     `json:"bytes"` // of all files together
	// Only: there is no Function, and the module is one that does nothing.
	Only bool `json:"only,omitempty"`
}

// AssetLimits bound static files. Unset fields are Cloudflare's where it has them
// (https://developers.cloudflare.com/workers/platform/limits/#static-assets).
type AssetLimits struct {
	Files    int   // of one Version; default 20,000
	FileSize int64 // bytes of one file; default 25 MiB
	// Pending is what uploads of one account that are not deployed yet may bring, in
	// bytes; default 4 GiB.
	Pending int64
}

func (l AssetLimits) withDefaults() AssetLimits {
	return AssetLimits{cmp.Or(l.Files, 20_000), cmp.Or(l.FileSize, 25<<20), cmp.Or(l.Pending, 4<<30)}
}

// UploadAssets says where the static files of an Upload are; how they are served is
// in its Settings.
type UploadAssets struct {
	// Session is the token of a session whose files have all arrived. Empty: those
	// that Settings.Assets names, or else those of the newest Version.
	Session string
	// KeepConfig: how the files of the newest Version are served stays as well.
	KeepConfig bool
}

// resolveAssets finds the files of an upload, and gives one without a module the one
// that does nothing.
func (r *Registry) resolveAssets(ctx context.Context, account, name string, up *Upload) error {
	if up.Assets == nil {
		if up.Settings.Assets != nil {
			return invalid("binding %q is of static files, but the upload has none", up.Settings.Assets.Binding)
		}
		return nil
	}
	a := Assets{}
	if up.Settings.Assets != nil {
		a = *up.Settings.Assets
	}
	var err error
	switch {
	case up.Assets.Session != "":
		err = r.takeSession(ctx, account, name, up.Assets.Session, &a)
	case a.Manifest == kv.Digest{}:
		err = r.keepAssets(ctx, account, name, up.Assets.KeepConfig, &a)
	}
	switch {
	case err != nil:
		return err
	case a.Manifest != kv.Digest{}:
	case a.Binding != "" || len(up.Module) == 0:
		return invalid("there are no static files that could be kept; upload some")
	default:
		up.Settings.Assets = nil
		return nil
	}
	if a.Only = len(up.Module) == 0; a.Only {
		up.Module = idleModule()
	}
	up.Settings.Assets = &a
	return nil
}

// keepAssets takes over those of the newest Version.
func (r *Registry) keepAssets(ctx context.Context, account, name string, config bool, a *Assets) error {
	v, err := r.Newest(ctx, account, name)
	if e, ok := errors.AsType[*host.Error](err); ok && e.Code == host.CodeNotFound || err == nil && v.Settings.Assets == nil {
		return nil // there are none
	}
	if err != nil {
		return err
	}
	before := v.Settings.Assets
	if config {
		a.Config = before.Config
	}
	a.Manifest, a.Files, a.Bytes = before.Manifest, before.Files, before.Bytes
	return nil
}

func (a *Assets) check(bound map[string]bool) error {
	if a == nil {
		return nil
	}
	if err := a.Config.Check(); err != nil {
		return invalid("assets: %v", err)
	}
	switch {
	case a.Only && a.Binding != "":
		return invalid("assets: there is no Function that the binding %q could be for; leave it out, or set main", a.Binding)
	case a.Only && !a.RunWorkerFirst.IsZero():
		return invalid("assets: there is no Function that could be run first; leave run_worker_first out, or set main")
	case a.Binding == "":
		return nil
	}
	return checkBinding(a.Binding, bound)
}

// assetHandle is what serves the files of a Version; nil if it has none.
func (r *Registry) assetHandle(v Version) *assets.Handle {
	a := v.Settings.Assets
	if a == nil {
		return nil
	}
	return r.cfg.Assets.Handle(v.ID, a.Manifest, a.Config, assets.Options{Function: !a.Only, CompatibilityDate: v.Settings.CompatibilityDate})
}

// bindAssets gives a module the files that it asks for by name.
func (r *Registry) bindAssets(b *host.Bindings, v Version) {
	if v.Settings.Assets == nil || v.Settings.Assets.Binding == "" {
		return
	}
	if b.Fetchers == nil {
		b.Fetchers = map[string]host.Fetcher{}
	}
	b.Fetchers[v.Settings.Assets.Binding] = r.assetHandle(v)
}

// checkAssets refuses a Version whose files were removed meanwhile. What is being
// removed now is looked at again.
func (r *Registry) checkAssets(account string, v Version) error {
	if a := v.Settings.Assets; a != nil && !r.files.use(account, a.Manifest) {
		return host.Errorf(host.CodeConflict, "the static files of this version are not there any more; upload them again")
	}
	return nil
}

// idleModule is the module of a Version that has static files only: an empty memory,
// and a fetch that returns. No request gets to it.
func idleModule() []byte {
	return []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" + // type: a function without parameters and results
		"\x03\x02\x01\x00" + // function of that type
		"\x05\x04\x01\x01\x00\x00" + // memory: 0 pages, for ever
		"\x07\x12\x02\x06memory\x02\x00\x05fetch\x00\x00" +
		"\x0a\x04\x01\x02\x00\x0b") // code: end
}
