// Package site reads a folder of static files: which of them are to be served, under
// which path, and what _headers and _redirects say. Start reading at Read.
package site

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	ignore "github.com/sabhiram/go-gitignore"
)

// Files with a meaning of their own, which are not served.
const (
	ignoreFile    = ".assetsignore"
	headersFile   = "_headers"
	redirectsFile = "_redirects"
)

// Folder is a folder of static files.
type Folder struct {
	Files              []File // ordered by path
	Headers, Redirects string // texts of the files; empty without them
}

// File is a file to be served.
type File struct {
	Path string // under which it is served, not encoded
	Name string // of the file
	Hash string // of its bytes and the end of its name: 32 hexadecimal digits
	Size int64  // bytes
	Type string // Content-Type; may be empty
}

// Read reads a folder. Not served are _headers, _redirects, .assetsignore and what
// that names (in the syntax of .gitignore), and .git, node_modules and .DS_Store.
// Links to files are followed, those to folders are not.
func Read(dir string) (*Folder, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("find the static files, [assets] directory in mayfly.toml: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("[assets] directory in mayfly.toml: %s is not a folder", dir)
	}
	f := new(Folder)
	skip, err := ignored(dir)
	if err == nil {
		f.Headers, err = text(filepath.Join(dir, headersFile))
	}
	if err == nil {
		f.Redirects, err = text(filepath.Join(dir, redirectsFile))
	}
	if err != nil {
		return nil, err
	}
	return f, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read static files: %w", err)
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil || rel == "." {
			return err
		}
		switch rel = filepath.ToSlash(rel); {
		case skip(rel, d.IsDir()) && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || skip(rel, false):
			return nil
		}
		return f.add(rel, name)
	})
}

// ignored says what is not served.
func ignored(dir string) (func(rel string, folder bool) bool, error) {
	rules, err := text(filepath.Join(dir, ignoreFile))
	if err != nil {
		return nil, err
	}
	own := ignore.CompileIgnoreLines(strings.Split(rules, "\n")...)
	return func(rel string, folder bool) bool {
		base := rel[strings.LastIndexByte(rel, '/')+1:]
		switch {
		case rel == ignoreFile, rel == headersFile, rel == redirectsFile, base == ".git", base == "node_modules", base == ".DS_Store":
			return true
		case folder:
			return own.MatchesPath(rel + "/")
		}
		return own.MatchesPath(rel)
	}, nil
}

// text is what a file has; nothing if there is none.
func text(name string) (string, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read static files: %w", err)
	}
	return string(data), nil
}

func (f *Folder) add(rel, name string) error {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return fmt.Errorf("read static files: %w", err)
	case !info.Mode().IsRegular():
		return nil
	}
	file := File{Path: "/" + rel, Name: name, Type: assets.TypeOf(rel)}
	if err := assets.CheckPath(file.Path); err != nil {
		return fmt.Errorf("static file %s: %w; rename it, or name it in %s", name, err, ignoreFile)
	}
	if file.Hash, file.Size, err = hash(name); err != nil {
		return fmt.Errorf("read static files: %w", err)
	}
	f.Files = append(f.Files, file)
	return nil
}

func hash(name string) (text string, size int64, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	h := sha256.New()
	if size, err = io.Copy(h, file); err != nil {
		return "", 0, err
	}
	io.WriteString(h, strings.TrimPrefix(filepath.Ext(name), "."))
	return hex.EncodeToString(h.Sum(nil)[:16]), size, nil
}

// Manifest has the files as they are announced to a node.
func (f *Folder) Manifest() map[string]deploy.AssetFile {
	m := make(map[string]deploy.AssetFile, len(f.Files))
	for _, file := range f.Files {
		m[file.Path] = deploy.AssetFile{Hash: file.Hash, Size: file.Size}
	}
	return m
}

// ByHash has one file for each hash.
func (f *Folder) ByHash() map[string]File {
	m := make(map[string]File, len(f.Files))
	for _, file := range f.Files {
		m[file.Hash] = file
	}
	return m
}

// Config is how the files are served.
func (f *Folder) Config(a *deploy.AssetsFolder) assets.Config {
	return assets.Config{HTMLHandling: a.HTMLHandling, NotFoundHandling: a.NotFoundHandling, RunWorkerFirst: a.RunWorkerFirst,
		Headers: f.Headers, Redirects: f.Redirects}
}
