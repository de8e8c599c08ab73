package runtime

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// parse refuses a module before the engine sees it: it must be valid, only
// functions may be imported, and only those that the node offers.
func (r *Runtime) parse(data []byte) (*wasm.Module, error) {
	limits := wasm.DefaultLimits()
	limits.ModuleSize = int(r.cfg.MaxModule)
	module, err := wasm.Parse(data, limits)
	if err != nil {
		return nil, host.Errorf(host.CodeInvalid, "the module is not valid WebAssembly: %v", err)
	}
	for _, i := range module.Imports() {
		if err := r.checkImport(i); err != nil {
			return nil, err
		}
	}
	return module, nil
}

func (r *Runtime) checkImport(i wasm.Import) error {
	offered, ok := r.offered[i.Module]
	switch {
	case ok && i.Kind != wasm.KindFunc:
		return host.Errorf(host.CodeInvalid, "the module imports %s %s.%s; only functions may be imported", i.Kind, i.Module, i.Name)
	case ok:
		if _, found := offered.Find(i.Name); found {
			return nil
		}
		return host.Errorf(host.CodeInvalid, "the module imports %s.%s, which this node does not offer%s", i.Module, i.Name, nearest(offered, i.Name))
	}
	if base, version, versioned := strings.Cut(i.Module, "@"); versioned && r.offered[base] != nil {
		return host.Errorf(host.CodeInvalid, "the module imports %s.%s and so needs version %s of the %s ABI; this node offers %s: upgrade the node, or build with an older SDK", i.Module, i.Name, version, base, r.offered[base].Version)
	}
	return host.Errorf(host.CodeInvalid, "the module imports %s %s.%s; this node offers functions from %s only%s", i.Kind, i.Module, i.Name, r.offers(), otherTarget(i.Module))
}

// otherTarget says how to build a module that was built for a browser.
func otherTarget(module string) string {
	switch {
	case module == "gojs" || module == "go":
		return "; it was built by Go for a browser: build with GOOS=wasip1"
	case module == "wbg" || strings.HasPrefix(module, "__wbindgen"):
		return "; it was built by wasm-bindgen for a browser: build for the target wasm32-wasip1"
	case module == "wasi_unstable":
		return "; it was built for an older WASI: build for wasip1"
	}
	return ""
}

func (r *Runtime) offers() string {
	names := slices.Sorted(maps.Keys(r.offered))
	names = slices.DeleteFunc(names, func(n string) bool { return n == js.Name }) // which users can't use
	return strings.Join(names, " and ")
}

// nearest names an offered function that was probably meant.
func nearest(m *abi.Module, name string) string {
	for _, f := range m.Funcs {
		if strings.EqualFold(f.Name, name) || strings.HasPrefix(f.Name, name) || strings.HasPrefix(name, f.Name) {
			return fmt.Sprintf(" (did you mean %s?)", f.Name)
		}
	}
	return ""
}

// checkSignatures compares what a module imports with what is offered, so that
// a wrong signature is refused at upload and not found at the first request.
func (r *Runtime) checkSignatures(s *abi.Shape) error {
	for _, i := range s.Imports {
		f, _ := r.offered[i.Module].Find(i.Name)
		if !slices.Equal(f.Params, i.Params) || !slices.Equal(f.Results, i.Results) {
			return host.Errorf(host.CodeInvalid, "the module imports %s.%s as %s; it is %s",
				i.Module, i.Name, typeOf(i.Params, i.Results), typeOf(f.Params, f.Results))
		}
	}
	return nil
}

func typeOf(params, results []abi.Type) string {
	return fmt.Sprintf("(%s) -> (%s)", typeNames(params), typeNames(results))
}

func typeNames(types []abi.Type) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = abi.TypeName(t)
	}
	return strings.Join(names, " ")
}
