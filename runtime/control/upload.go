package control

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"

	"github.com/mayfly-run/mayfly/host"
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
	case err == nil && isJavaScript(kind, ""):
		return deploy.Upload{}, noJavaScript()
	}
	return deploy.Upload{}, &failure{http.StatusUnsupportedMediaType, 0,
		"send the module with Content-Type application/wasm, or a multipart/form-data with metadata and the module"}
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

// form is an upload with metadata as it is being read.
type form struct {
	metadata *metadata
	name     string // of the module; empty until it was read
	module   []byte
}

func (r *request) readForm() (up deploy.Upload, err error) {
	r.limitBody(r.api.cfg.MaxModule + maxMetadata)
	parts, err := r.MultipartReader()
	if err != nil {
		return up, badRequest("the form cannot be read: %v", err)
	}
	var f form
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

func (r *request) readPart(f *form, part *multipart.Part) error {
	if part.FormName() == "metadata" {
		return f.readMetadata(part)
	}
	name := part.FormName()
	kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	switch {
	case isJavaScript(kind, name):
		return noJavaScript()
	case err != nil && part.Header.Get("Content-Type") != "", kind != "" && kind != wasmType && kind != anyType:
		return host.Errorf(host.CodeUnsupported, "part %q has the type %q; only application/wasm is offered", name, part.Header.Get("Content-Type"))
	case f.name != "":
		return host.Errorf(host.CodeUnsupported, "the form has the modules %q and %q; exactly one is offered", f.name, name)
	case name == "":
		return badRequest("a part of the form has no name")
	}
	f.name = name
	f.module, err = readAll(io.LimitReader(part, r.api.cfg.MaxModule+1))
	if err == nil && int64(len(f.module)) > r.api.cfg.MaxModule {
		return r.tooLarge()
	}
	return r.moduleError(err)
}

func (f *form) readMetadata(part *multipart.Part) error {
	data, err := readAll(io.LimitReader(part, maxJSON+1))
	if err != nil {
		return err
	}
	if len(data) > maxJSON {
		return host.Errorf(host.CodeTooLarge, "the metadata has more than %d bytes", maxJSON)
	}
	f.metadata = new(metadata)
	if err := json.Unmarshal(data, f.metadata); err != nil {
		return badRequest("the metadata is not the JSON expected: %v", err)
	}
	return nil
}

func (r *request) uploadOf(f *form) (up deploy.Upload, err error) {
	switch {
	case f.metadata == nil:
		return up, badRequest("the form has no part named metadata")
	case f.metadata.BodyPart != "" || isJavaScript("", f.metadata.MainModule):
		return up, noJavaScript()
	case f.metadata.MainModule == "" && f.name == "" && (f.metadata.Assets != nil || f.metadata.KeepAssets): // static files alone
	case f.metadata.MainModule == "":
		return up, badRequest("the metadata has no main_module: name the part that has the module")
	case f.name != f.metadata.MainModule:
		return up, badRequest("main_module is %q, but the form has no such part", f.metadata.MainModule)
	}
	if up, err = f.metadata.upload(); err != nil {
		return up, err
	}
	up.Module = f.module
	return up, r.inherit(&up, f.metadata)
}

func isJavaScript(kind, name string) bool {
	switch path.Ext(name) {
	case ".js", ".mjs", ".cjs", ".ts", ".py":
		return true
	}
	return strings.Contains(kind, "javascript") || strings.Contains(kind, "python")
}

func noJavaScript() error {
	return host.Errorf(host.CodeUnsupported, "JavaScript and Python modules are not offered yet; upload a WebAssembly module as application/wasm")
}
