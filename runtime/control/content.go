package control

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"

	"github.com/mayfly-run/mayfly/host/js"
)

// sendModules answers with what a Version runs, as a form in which it could be
// uploaded; the header cf-entrypoint names the main module.
func (r *request) sendModules(module []byte) error {
	main, parts, err := partsOf(module)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, p := range parts {
		w, partErr := form.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf("form-data; name=%q; filename=%q", p.name, p.name)},
			"Content-Type":        {p.kind},
		})
		if partErr == nil {
			_, partErr = w.Write(p.data)
		}
		err = errors.Join(err, partErr)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return err
	}
	r.reply.Header().Set("cf-entrypoint", main)
	r.sendBytes(http.StatusOK, form.FormDataContentType(), b.Bytes())
	return nil
}

// partsOf takes apart what a Version stores.
func partsOf(module []byte) (main string, parts []formPart, err error) {
	if !js.IsProgram(module) {
		return mainModule, []formPart{{mainModule, wasmType, module}}, nil
	}
	p, err := js.DecodeProgram(module)
	if err != nil {
		return "", nil, err
	}
	for _, m := range p.Modules {
		kind := partTypes[m.Type]
		if p.Script && m.Name == p.Main {
			kind = scriptJS
		}
		parts = append(parts, formPart{m.Name, kind, m.Data})
	}
	return p.Main, parts, nil
}

// partTypes are the types of parts, by what modules are.
var partTypes = map[js.ModuleType]string{js.TypeModule: moduleJS, js.TypeText: "text/plain", js.TypeJSON: "application/json", js.TypeData: anyType}
