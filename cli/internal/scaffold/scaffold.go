// Package scaffold makes new projects out of what is embedded here: a template
// per language, and a copy of the SDK, so that they build without a network.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"golang.org/x/tools/txtar"
)

//go:generate go run ./pack ../../../sdk/go sdk-go.txtar

//go:embed sdk-go.txtar
var goSDK []byte

// The templates end in .tmpl: a folder with a go.mod can't be embedded.
//
//go:embed all:templates
var templates embed.FS

// sdkFolder is where a project keeps its copy of the SDK.
const sdkFolder = "mayfly-sdk"

// Languages are those that Create knows.
func Languages() []string { return []string{"go", "js", "ts"} }

// ErrExists: the folder is there and not empty.
var ErrExists = errors.New("it exists and is not empty")

// Create makes the folder dir with a project in it, in one of Languages. It is
// there as a whole or not at all.
func Create(dir, name, language string) error {
	files, err := project(name, language)
	if err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	draft, err := os.MkdirTemp(parent, ".mayfly-new-*")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(draft)
	if err := write(draft, files); err != nil {
		return err
	}
	return settle(draft, dir)
}

// settle gives a finished draft its name. Renaming replaces an empty folder
// only.
func settle(draft, dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("make %s: %w", dir, ErrExists)
	}
	if err := os.Chmod(draft, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if err := os.Rename(draft, dir); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	return nil
}

func write(dir string, files []txtar.File) error {
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write project: %w", err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			return fmt.Errorf("write project: %w", err)
		}
	}
	return nil
}

// project is all files of a new project.
func project(name, language string) ([]txtar.File, error) {
	files, err := expand("templates/"+language, map[string]string{"Name": name, "SDK": sdkFolder})
	if err != nil {
		return nil, fmt.Errorf("expand template: %w", err)
	}
	if language != "go" {
		return files, nil
	}
	for _, f := range txtar.Parse(goSDK).Files {
		files = append(files, txtar.File{Name: sdkFolder + "/" + f.Name, Data: f.Data})
	}
	return files, nil
}

// expand fills in the templates below dir.
func expand(dir string, values map[string]string) (files []txtar.File, err error) {
	all, err := template.ParseFS(templates, dir+"/*.tmpl")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templates, dir+"/*.tmpl")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		base := filepath.Base(name)
		var b bytes.Buffer
		if err := all.ExecuteTemplate(&b, base, values); err != nil {
			return nil, err
		}
		files = append(files, txtar.File{Name: place(strings.TrimSuffix(base, ".tmpl")), Data: b.Bytes()})
	}
	return files, nil
}

// place is where a template's file lies in the project.
func place(name string) string {
	switch name {
	case "gitignore": // one here would be in force
		return ".gitignore"
	case "index.js", "index.ts":
		return "src/" + name
	}
	return name
}
