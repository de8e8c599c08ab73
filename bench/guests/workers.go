package guests

import (
	"fmt"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// Worker is a program in JavaScript, a module with all that it imports.
type Worker struct {
	Name   string
	Answer string // the body of its answer to a GET
	file   string
}

// Workers are the programs in JavaScript, the cheapest first. Root is the
// repository's folder.
func Workers(root string) []Worker {
	file := func(name string) string { return filepath.Join(root, "bench", "guests", "workers", name+".js") }
	return []Worker{
		{"hello", "hello", file("hello")},
		{"template", "26447", file("template")},
		{"markdown", "4665 10354", file("markdown")},
		{"json", "100371 97225", file("json")},
	}
}

// Source is the module's text. It fails if npm packages that it imports are not
// installed.
func (w Worker) Source() ([]byte, error) {
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{w.file},
		Bundle:      true,
		Format:      api.FormatESModule,
		Target:      api.ES2023,
		LogLevel:    api.LogLevelSilent,
	})
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("bundle %s: %s; packages come with 'npm ci' in its folder", w.file, result.Errors[0].Text)
	}
	return result.OutputFiles[0].Contents, nil
}
