package control

import (
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"path"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// form is an upload with metadata as it is being read.
type form struct {
	metadata *metadata
	parts    []formPart
	maps     []formPart // of modules, by the module's name and ".map"
	left     int64      // bytes that the modules may still have
}

type formPart struct {
	name, kind string
	data       []byte
}

const (
	moduleJS  = "application/javascript+module"
	scriptJS  = "application/javascript"
	sourceMap = "application/source-map"
)

// moduleTypes is what modules of JavaScript Workers are, by the type of their part.
// https://developers.cloudflare.com/workers/configuration/multipart-upload-metadata/
var moduleTypes = map[string]js.ModuleType{
	moduleJS: js.TypeModule, scriptJS: js.TypeModule, "text/javascript+module": js.TypeModule, "text/javascript": js.TypeModule,
	"text/plain": js.TypeText, "application/json": js.TypeJSON, anyType: js.TypeData,
}

func (r *request) readPart(f *form, part *multipart.Part) error {
	if part.FormName() == "metadata" {
		return f.readMetadata(part)
	}
	p := formPart{name: part.FormName()}
	given := part.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(given)
	switch _, known := moduleTypes[kind]; {
	case p.name == "":
		return badRequest("a part of the form has no name")
	case given == "":
		kind = typeOfName(p.name)
	case kind == sourceMap:
	case err != nil || !known && kind != wasmType:
		return host.Errorf(host.CodeUnsupported, "part %q has the type %q, which is not offered; modules are %s, %s, text/plain, application/json or %s",
			p.name, given, wasmType, moduleJS, anyType)
	}
	p.kind = kind
	if p.data, err = readAll(io.LimitReader(part, f.left+1)); err == nil && int64(len(p.data)) > f.left {
		return r.tooLarge()
	}
	f.left -= int64(len(p.data))
	if kind == sourceMap {
		f.maps = append(f.maps, p)
		return r.moduleError(err)
	}
	f.parts = append(f.parts, p)
	return r.moduleError(err)
}

// typeOfName is the type of a part that says none.
func typeOfName(name string) string {
	switch path.Ext(name) {
	case ".js", ".mjs":
		return moduleJS
	case ".json":
		return "application/json"
	case ".txt", ".html":
		return "text/plain"
	}
	return anyType
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
	if f.metadata == nil {
		return up, badRequest("the form has no part named metadata")
	}
	module, err := f.module()
	if err != nil {
		return up, err
	}
	if up, err = f.metadata.upload(); err != nil {
		return up, err
	}
	up.Module = module
	return up, r.inherit(&up, f.metadata)
}

// module is what the Version runs: the WebAssembly module that is the main one, or
// all modules of a JavaScript Worker.
func (f *form) module() ([]byte, error) {
	key, main := "main_module", f.metadata.MainModule
	if main == "" && f.metadata.BodyPart != "" {
		key, main = "body_part", f.metadata.BodyPart
	}
	if main == "" && len(f.parts) == 0 && (f.metadata.Assets != nil || f.metadata.KeepAssets) {
		return nil, nil // static files alone
	}
	if main == "" {
		return nil, badRequest("the metadata has no main_module: name the part that has the module")
	}
	for _, p := range f.parts {
		if p.name != main {
			continue
		}
		if moduleTypes[p.kind] == js.TypeModule {
			return f.program(main, key == "body_part")
		}
		return f.alone(p)
	}
	return nil, badRequest("%s is %q, but the form has no such part", key, main)
}

// alone is a WebAssembly module, beside which there is nothing.
func (f *form) alone(main formPart) ([]byte, error) {
	if main.kind != wasmType && main.kind != anyType {
		return nil, host.Errorf(host.CodeUnsupported, "the main module %q is of the type %q; it must be %s or %s", main.name, main.kind, wasmType, moduleJS)
	}
	if len(f.parts) > 1 {
		return nil, host.Errorf(host.CodeUnsupported, "the form has %d modules beside %q; a WebAssembly module stands alone", len(f.parts)-1, main.name)
	}
	return main.data, nil
}

// program is a JavaScript Worker.
func (f *form) program(main string, script bool) ([]byte, error) {
	p := js.Program{Main: main, Script: script}
	for _, part := range f.parts {
		kind, ok := moduleTypes[part.kind]
		if !ok {
			return nil, host.Errorf(host.CodeUnsupported, "module %q is WebAssembly, which JavaScript Workers can't run here; deploy it as a Function of its own", part.name)
		}
		p.Modules = append(p.Modules, js.Source{Name: part.name, Type: kind, Data: part.data, Map: f.mapOf(part.name)})
	}
	return p.Encode()
}

// mapOf is the source map of a module, or nil.
func (f *form) mapOf(name string) []byte {
	for _, m := range f.maps {
		if m.name == name+".map" {
			return m.data
		}
	}
	return nil
}

// readBareScript reads a body that is a JavaScript Worker of one module.
func (r *request) readBareScript(kind string) (up deploy.Upload, err error) {
	if up, err = r.readBare(); err != nil {
		return up, err
	}
	const name = "index.js"
	p := js.Program{Main: name, Script: kind != moduleJS, Modules: []js.Source{{Name: name, Type: js.TypeModule, Data: up.Module}}}
	up.Module, err = p.Encode()
	return up, err
}
