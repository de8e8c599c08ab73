package js

import (
	"bytes"
	"encoding/json"
	"path"
	"regexp"
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

// Magic begins the bytes of an encoded Program.
const Magic = "mayfly worker 1\n"

// Program is what a Worker consists of: modules by name, of which one is the
// main one. A Version stores it encoded, in place of a WebAssembly module.
type Program struct {
	Main    string   `json:"main"`
	Modules []Source `json:"modules"`
	// Script says that the main module is none but a script, whose handlers are
	// added by addEventListener.
	Script bool `json:"script,omitempty"`
}

// Source is one module.
type Source struct {
	Name string     `json:"name"` // as import finds it, relative to the main module
	Type ModuleType `json:"type"`
	Data []byte     `json:"data"`
	// Map is a source map (https://tc39.es/ecma426/), or nil.
	Map []byte `json:"map,omitempty"`

	loaded bool // its source was given to the engine
}

// ModuleType says what an import of the module gives.
type ModuleType string

const (
	TypeModule ModuleType = "esm"  // its exports
	TypeText   ModuleType = "text" // a string
	TypeJSON   ModuleType = "json" // a value
	TypeData   ModuleType = "data" // an ArrayBuffer
)

// maxModules is how many modules a Program may have.
const maxModules = 10_000

// IsProgram says whether bytes are an encoded Program.
func IsProgram(data []byte) bool { return bytes.HasPrefix(data, []byte(Magic)) }

// Encode checks the Program and returns the bytes that DecodeProgram reads. Equal
// Programs have equal bytes.
func (p *Program) Encode() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return append([]byte(Magic), data...), nil
}

// DecodeProgram reads what Encode wrote. The error is an *host.Error.
func DecodeProgram(data []byte) (*Program, error) {
	if !IsProgram(data) {
		return nil, host.Errorf(host.CodeInvalid, "the bytes are not a JavaScript Worker")
	}
	p := new(Program)
	if err := json.Unmarshal(data[len(Magic):], p); err != nil {
		return nil, host.Errorf(host.CodeInvalid, "the JavaScript Worker can't be read: %v", err)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}

// detaching is how Workers look that stream their answer, or go on after it.
var detaching = regexp.MustCompile(`waitUntil|Stream\b|event-stream|\.body\b|(?:await|return|[=(,\[?:>])\s*(?:[\w$.]+\.)?fetch\(`)

// Detaches reports whether it looks as if the Worker streams its answer, or goes on
// after it. If it does so although it does not look like that, its answer waits
// until it has ended.
func (p *Program) Detaches() bool {
	for i := range p.Modules {
		if p.Modules[i].Type == TypeModule && detaching.Match(p.Modules[i].Data) {
			return true
		}
	}
	return false
}

func (p *Program) check() error {
	if len(p.Modules) > maxModules {
		return host.Errorf(host.CodeInvalid, "the Worker has %d modules; at most %d are accepted", len(p.Modules), maxModules)
	}
	seen := map[string]bool{}
	for i := range p.Modules {
		s := &p.Modules[i]
		switch {
		case s.Name == "" || strings.ContainsAny(s.Name, "\x00\n"):
			return host.Errorf(host.CodeInvalid, "a module of the Worker has the name %q", s.Name)
		case seen[path.Clean(s.Name)]:
			return host.Errorf(host.CodeInvalid, "the Worker has two modules named %q", s.Name)
		case s.wrapper() == nil:
			return host.Errorf(host.CodeInvalid, "module %q is of the type %q, which is not offered", s.Name, s.Type)
		}
		seen[path.Clean(s.Name)] = true
	}
	if m := p.find(p.Main); m == nil || m.Type != TypeModule {
		return host.Errorf(host.CodeInvalid, "the Worker's main module %q is not among its JavaScript modules", p.Main)
	}
	return nil
}

// find returns the module of a name, or nil. The engine resolves "./x" against the
// importing module, so that names lose their leading "./".
func (p *Program) find(name string) *Source {
	name = path.Clean(name)
	for i := range p.Modules {
		if path.Clean(p.Modules[i].Name) == name {
			return &p.Modules[i]
		}
	}
	return nil
}

// wrapper makes the JavaScript of a module, or is nil if its type is unknown.
func (s *Source) wrapper() func() string {
	switch s.Type {
	case TypeModule:
		return func() string { return string(s.Data) }
	case TypeText:
		return func() string { return "export default " + quoted(string(s.Data)) }
	case TypeJSON:
		return func() string { return "export default JSON.parse(" + quoted(string(s.Data)) + ")" }
	case TypeData:
		return func() string { return "export default Uint8Array.fromBase64(" + base64JSON(s.Data) + ").buffer" }
	}
	return nil
}

// quoted is a string literal of JavaScript, which every one of JSON is.
func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func base64JSON(data []byte) string {
	b, _ := json.Marshal(data)
	if string(b) == "null" {
		return `""`
	}
	return string(b)
}
