package dev

import (
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/cli/internal/build"
)

// watched are the folders with sources: those in watch_dir; where there is a
// build command without it, src, if that exists, as with wrangler; else all.
func watched(p *build.Project) []string {
	var dirs []string
	for _, dir := range p.Manifest.Build.WatchDir {
		dirs = append(dirs, filepath.Join(p.Dir, filepath.FromSlash(dir)))
	}
	src := filepath.Join(p.Dir, "src")
	if info, err := os.Stat(src); len(dirs) == 0 && p.Manifest.Build.Command != "" && err == nil && info.IsDir() {
		dirs = append(dirs, src)
	}
	return append(dirs, p.Dir)
}

// loose reports whether a build command may write where sources are watched.
func loose(p *build.Project) bool {
	return p.Manifest.Build.Command != "" && len(watched(p)) == 1
}

// stamps tell whether files have changed.
type stamps map[string]stamp

type stamp struct {
	modified time.Time
	size     int64
}

// stampsOf looks at all sources of a loose project; of others it returns nil.
func stampsOf(p *build.Project, log io.Writer) stamps {
	if !loose(p) {
		return nil
	}
	return stampsIn(p.Dir, ignored(p, log))
}

// stampsIn looks at all files in a folder.
func stampsIn(dir string, ignored func(string) bool) stamps {
	found := stamps{}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error { //nolint:errcheck // what can't be read is no source
		switch {
		case err != nil:
			return nil
		case path != dir && ignored(path) && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || ignored(path):
			return nil
		}
		if info, err := d.Info(); err == nil {
			found[path] = stamp{info.ModTime(), info.Size()}
		}
		return nil
	})
	return found
}

// madeByBuild reports whether a change is what a build command itself has
// written, or it would be run for ever. What was saved while it ran can't be
// told apart from that; watch_dir helps.
func (s *Session) madeByBuild(p *build.Project) bool {
	return loose(p) && maps.Equal(s.left, stampsOf(p, s.log))
}

// ignored names what is no source. When the sources are in folders of their
// own, of the project's folder only its settings count. Nor is the log a source,
// as after "mayfly dev 2>log": each build would cause the next one.
func ignored(p *build.Project, log io.Writer) func(string) bool {
	dirs := watched(p)
	apart := len(dirs) > 1
	output, built := p.Built()
	return func(path string) bool {
		name := filepath.Base(path)
		// The Go command writes to a longer name first.
		if !isSource(name) || built && strings.HasPrefix(path, output) || isOpen(log, path) {
			return true
		}
		return apart && !isSettings(name) && !below(dirs[:len(dirs)-1], path)
	}
}

// isOpen reports whether path is the file that log writes to, if it is one.
func isOpen(log io.Writer, path string) bool {
	f, ok := log.(*os.File)
	if !ok {
		return false
	}
	own, err := f.Stat()
	if err != nil || !own.Mode().IsRegular() {
		return false
	}
	other, err := os.Stat(path)
	return err == nil && os.SameFile(own, other)
}

func isSettings(name string) bool {
	return name == "mayfly.toml" || name == "wrangler.toml" || isDevVars(name)
}

func isDevVars(name string) bool {
	return name == ".dev.vars" || strings.HasPrefix(name, ".dev.vars.") && !strings.HasSuffix(name, "~")
}

func below(dirs []string, path string) bool {
	for _, dir := range dirs {
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// isSource reports whether a name is none of the files that tools leave
// everywhere. Hidden ones are, but for .dev.vars and those of stages.
func isSource(name string) bool {
	return isDevVars(name) || !strings.HasPrefix(name, ".") && name != "node_modules" && !strings.HasSuffix(name, "~")
}
