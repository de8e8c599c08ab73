package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// scripts are the names of sources that are bundled.
var scripts = []string{".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".tsx"}

// IsScript reports whether a file is JavaScript or TypeScript.
func IsScript(file string) bool { return slices.Contains(scripts, filepath.Ext(file)) }

func (p *Project) isScript() bool { return IsScript(p.Manifest.Main) }

// bundle is where a JavaScript Worker is written, with its source map beside it. It
// lies in a hidden folder, so that it can't be one of the sources.
func (p *Project) bundle() string {
	return filepath.Join(p.Dir, ".mayfly", "build", p.Manifest.Name+".js")
}

// buildScript bundles what main imports into one module.
func (p *Project) buildScript(_ context.Context, log io.Writer) error {
	main := p.module()
	if _, err := os.Stat(main); err != nil {
		return fmt.Errorf("find the file that main names: %w", err)
	}
	return Bundle(p.Dir, main, p.bundle(), log)
}

// Bundle writes a module with everything that main imports, and its source map. Names
// of sources are shown relative to dir.
// What is wrong with the sources goes to log, and into a *Failed. npm packages are
// found in node_modules, as by wrangler
// (https://developers.cloudflare.com/workers/wrangler/bundling/).
func Bundle(dir, main, file string, log io.Writer) error {
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{main},
		// Nothing is written there: the map's sources are relative to it.
		Outfile:        filepath.Join(dir, filepath.Base(file)),
		AllowOverwrite: true,
		Bundle:         true,
		Format:         api.FormatESModule,
		Target:         api.ES2023,
		MainFields:     []string{"browser", "module", "main"},
		Conditions:     []string{"workerd", "worker", "browser"},
		Platform:       api.PlatformNeutral,
		Sourcemap:      api.SourceMapLinked,
		// Stack traces need places only.
		SourcesContent: api.SourcesContentExclude,
		KeepNames:      true,
		External:       []string{"cloudflare:*"},
		AbsWorkingDir:  dir,
		Define:         map[string]string{"process.env.NODE_ENV": `"production"`},
		Loader: map[string]api.Loader{
			".txt": api.LoaderText, ".html": api.LoaderText, ".sql": api.LoaderText, ".md": api.LoaderText, ".bin": api.LoaderBinary,
		},
		LogLevel: api.LogLevelSilent,
	})
	warnings := api.FormatMessages(result.Warnings, api.FormatMessagesOptions{Kind: api.WarningMessage})
	io.WriteString(log, strings.Join(warnings, ""))
	if len(result.Errors) == 0 {
		return writeBundle(file, result.OutputFiles)
	}
	advise(result.Errors)
	text := strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage}), "")
	io.WriteString(log, text)
	return &Failed{"esbuild", []byte(text), errors.New(count(len(result.Errors), "error"))}
}

// advise puts advice that can be followed here in the place of esbuild's, which is about
// its own API.
func advise(errors []api.Message) {
	for i, e := range errors {
		if !strings.HasPrefix(e.Text, "Could not resolve ") || len(e.Notes) == 0 {
			continue
		}
		advice := "Is its package installed (npm install)?"
		if strings.Contains(e.Notes[0].Text, "built into node") {
			advice = "It is a module of Node.js, which Workers do not have here."
		}
		errors[i].Notes = []api.Note{{Text: advice}}
	}
}

// writeBundle writes the module and its map, each under file's name with its own end.
func writeBundle(file string, outputs []api.OutputFile) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	for _, o := range outputs {
		name := file
		if filepath.Ext(o.Path) == ".map" {
			name += ".map"
		}
		if err := os.WriteFile(name, o.Contents, 0o644); err != nil {
			return fmt.Errorf("write module: %w", err)
		}
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
