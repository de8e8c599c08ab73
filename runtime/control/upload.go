package control

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

const (
	wasmType = "application/wasm"
	anyType  = "application/octet-stream"
)

// maxMetadata is what a form may have beside the module, in bytes.
const maxMetadata = 2 << 20

// uploadScript deploys a new Version. A bare module keeps the settings of the
// Version that serves; a form brings its own.
func uploadScript(r *request) error {
	before := deploy.Version{}
	if _, v, err := r.function(); err == nil {
		before = v
	}
	v, err := r.upload(false)
	if err != nil {
		return err
	}
	f, _, err := r.function()
	if err != nil {
		return err
	}
	shown := r.scriptOf(f, v)
	shown.Mayfly.Wants = deploy.Wants(before, v)
	return r.ok(shown)
}

// upload makes a Version of the body; idle leaves what serves as it is.
func (r *request) upload(idle bool) (deploy.Version, error) {
	if _, err := r.api.registry.Account(r.account()); err != nil {
		return deploy.Version{}, err
	}
	if err := deploy.CheckName(r.params["script"]); err != nil {
		return deploy.Version{}, badRequest("%v", err) // before a long body is read
	}
	done, err := r.takeUpload(r.api.cfg.MaxModule + maxMetadata)
	if err != nil {
		return deploy.Version{}, err
	}
	defer done()
	up, err := r.readUpload()
	if err != nil {
		return deploy.Version{}, err
	}
	up.Author, up.Idle = r.token.Name, idle
	if idle {
		up.Routes = nil // they are the Function's
	}
	v, err := r.api.registry.Deploy(r.Context(), r.account(), r.params["script"], up)
	if err != nil {
		return deploy.Version{}, err
	}
	r.note("version", v.ID)
	r.noteSecrets(up.Secrets)
	return v, nil
}

func (r *request) readUpload() (deploy.Upload, error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return deploy.Upload{}, &failure{http.StatusUnsupportedMediaType, 0, "the body has Content-Encoding " + e + "; send it as it is"}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "multipart/form-data":
		return r.readForm()
	case err == nil && (kind == wasmType || kind == anyType):
		return r.readBare()
	case err == nil && moduleTypes[kind] == js.TypeModule:
		return r.readBareScript(kind)
	}
	return deploy.Upload{}, &failure{http.StatusUnsupportedMediaType, 0,
		"send the module with Content-Type application/wasm or application/javascript+module, or a multipart/form-data with metadata and the modules"}
}

func (r *request) readBare() (up deploy.Upload, err error) {
	if up.Module, err = r.readModule(); err != nil {
		return up, err
	}
	_, v, err := r.function()
	if e, ok := errors.AsType[*host.Error](err); ok && e.Code == host.CodeNotFound {
		return up, nil
	}
	up.Settings = v.Settings
	if v.Settings.Assets != nil {
		up.Assets = new(deploy.UploadAssets)
	}
	return up, err
}

// readModule reads a body that is a module.
func (r *request) readModule() ([]byte, error) {
	if r.ContentLength > r.api.cfg.MaxModule {
		r.reply.Header().Set("Connection", "close") // or the answer waits for the body
		return nil, r.tooLarge()
	}
	r.limitBody(r.api.cfg.MaxModule)
	module, err := readAll(r.Body)
	return module, r.moduleError(err)
}

func (r *request) tooLarge() error {
	return host.Errorf(host.CodeTooLarge, "the module has more than %d bytes, which is the limit", r.api.cfg.MaxModule)
}

func (r *request) moduleError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return r.tooLarge()
	}
	return err
}

func (r *request) readForm() (up deploy.Upload, err error) {
	r.limitBody(r.api.cfg.MaxModule + maxMetadata)
	parts, err := r.MultipartReader()
	if err != nil {
		return up, badRequest("the form cannot be read: %v", err)
	}
	f := form{left: r.api.cfg.MaxModule}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return r.uploadOf(&f)
		}
		if err != nil {
			return up, r.moduleError(bodyError(err))
		}
		if err := r.readPart(&f, part); err != nil {
			return up, err
		}
	}
}
