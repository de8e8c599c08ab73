package compile

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// kept is compiled code with its manifest.
type kept struct {
	key   key
	paths [3]string // manifest, entry, module: the order in which they are removed
	bytes int64
	used  time.Time
}

// evict removes files that no manifest speaks of, and the least recently used
// code while there is more than there may be; also that of other versions. The
// lock must be held.
func (s *store) evict() error {
	folders, err := withPrefix(s.dir, wazeroPrefix)
	if err != nil {
		return err
	}
	var all []kept
	for _, folder := range folders {
		found, err := tidy(folder)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	var total int64
	for _, k := range all {
		total += k.bytes
	}
	slices.SortFunc(all, func(a, b kept) int { return a.used.Compare(b.used) })
	for _, k := range all {
		if total <= s.max {
			return nil
		}
		if s.pinned(k.key) {
			continue
		}
		if err := removeFiles(k.paths[:]); err != nil {
			return err
		}
		total -= k.bytes
	}
	return nil
}

// tidy lists the code in a folder and removes what is not code.
func tidy(folder string) ([]kept, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var all []kept
	known := map[string]bool{}
	for _, f := range files {
		if k, ok := readKept(folder, f.Name()); ok {
			all = append(all, k)
			for _, p := range k.paths {
				known[filepath.Base(p)] = true
			}
		}
	}
	var stray []string
	for _, f := range files {
		if !known[f.Name()] {
			stray = append(stray, filepath.Join(folder, f.Name()))
		}
	}
	return all, removeFiles(stray)
}

func readKept(folder, name string) (k kept, ok bool) {
	digits, ok := strings.CutSuffix(name, manifestSuffix)
	if !ok {
		return k, false
	}
	path := filepath.Join(folder, name)
	m, err := readManifest(path)
	if err != nil || hex.EncodeToString(m.key[:]) != digits {
		return k, false
	}
	k = kept{key: m.key, paths: [3]string{path, entryPath(folder, m), filepath.Join(folder, digits+moduleSuffix)}}
	for _, p := range k.paths {
		info, err := os.Lstat(p)
		if err != nil {
			return k, false
		}
		k.bytes += info.Size()
		if p == path {
			k.used = info.ModTime()
		}
	}
	return k, true
}

func removeFiles(paths []string) error {
	for _, p := range paths {
		if err := os.RemoveAll(p); err != nil {
			return err
		}
	}
	return nil
}
