// Package build makes the module of a project: a folder with a Function's
// sources and, mostly, a manifest. Start reading at Open and Project.Build.
package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// Project is a folder with a Function's sources, for one stage.
type Project struct {
	Dir      string           // absolute
	Manifest *deploy.Manifest // never nil; only named after the folder if there is none
}

// ManifestError is a mistake in a manifest, or a project without a name.
type ManifestError struct{ err error }

func (e *ManifestError) Error() string { return e.err.Error() }

// Unwrap gives the errors of the file.
func (e *ManifestError) Unwrap() error { return e.err }

// Open reads the manifest in dir for a stage; "" is the top level. A folder
// without a manifest is named after itself.
func Open(dir, stage string) (*Project, error) { return open(dir, stage, deploy.LoadManifest) }

// ErrNoProject is a folder that has neither a manifest nor Go sources.
var ErrNoProject = errors.New("there is neither mayfly.toml nor wrangler.toml here")

// OpenNames is Open for what only wants names and ids: nothing needs to be there
// that variables refer to. The error is ErrNoProject where the folder is none.
func OpenNames(dir, stage string) (*Project, error) {
	named := false
	p, err := open(dir, stage, func(dir, stage string) (*deploy.Manifest, error) {
		m, err := deploy.LoadNames(dir, stage)
		named = !errors.Is(err, fs.ErrNotExist)
		return m, err
	})
	if none := (&Project{Dir: dir, Manifest: &deploy.Manifest{}}); !named && stage == "" && !none.isGo() {
		return nil, &ManifestError{ErrNoProject}
	}
	return p, err
}

func open(dir, stage string, load func(dir, stage string) (*deploy.Manifest, error)) (*Project, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", dir, err)
	}
	if info, err := os.Stat(abs); err != nil {
		return nil, fmt.Errorf("open project: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("open project: %s is not a folder", dir)
	}
	m, err := load(dir, stage)
	if errors.Is(err, fs.ErrNotExist) && stage == "" {
		m, err = &deploy.Manifest{}, nil
	}
	if err != nil {
		return nil, &ManifestError{err}
	}
	p := &Project{Dir: abs, Manifest: m}
	return p, p.setName()
}

// setName names a Function whose manifest does not.
func (p *Project) setName() error {
	if p.Manifest.Name != "" {
		return nil
	}
	name := strings.ToLower(filepath.Base(p.Dir))
	if err := deploy.CheckName(name); err != nil {
		return &ManifestError{fmt.Errorf("the Function needs a name, and the folder's does not do: %w; write name = \"...\" in mayfly.toml", err)}
	}
	if p.Manifest.Stage != "" {
		name += "-" + p.Manifest.Stage
	}
	p.Manifest.Name = name
	return nil
}

// AssetsDir is the folder with the static files; empty if there are none.
func (p *Project) AssetsDir() (string, error) {
	if p.Manifest.Assets == nil {
		return "", nil
	}
	dir := filepath.Join(p.Dir, filepath.FromSlash(p.Manifest.Assets.Directory))
	if filepath.IsAbs(p.Manifest.Assets.Directory) {
		dir = filepath.Clean(p.Manifest.Assets.Directory)
	}
	if rel, err := filepath.Rel(dir, p.Dir); err == nil && filepath.IsLocal(rel) {
		return "", &ManifestError{fmt.Errorf("[assets] directory is %q, which has the project itself in it: everything would be public, sources and .dev.vars too; move the files to a folder of their own", p.Manifest.Assets.Directory)}
	}
	return dir, nil
}

// FilesOnly reports whether there is no module, only static files.
func (p *Project) FilesOnly() bool {
	return p.Manifest.Assets != nil && p.Manifest.Main == "" && !p.isGo()
}

// Built is the file that Build writes, or false if main is a module that
// nothing here makes.
func (p *Project) Built() (file string, ok bool) {
	if p.namesModule() {
		return p.module(), p.Manifest.Build.Command != ""
	}
	if p.isScript() {
		return p.bundle(), true
	}
	return p.output(), true
}

// output is where the Go compiler writes.
func (p *Project) output() string { return filepath.Join(p.Dir, p.Manifest.Name+".wasm") }

// namesModule reports whether main is a module, which nobody has to compile.
func (p *Project) namesModule() bool { return strings.HasSuffix(p.Manifest.Main, ".wasm") }

// module is the file that main names.
func (p *Project) module() string { return filepath.Join(p.Dir, filepath.FromSlash(p.Manifest.Main)) }
