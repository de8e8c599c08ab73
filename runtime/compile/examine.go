package compile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Damage is a file of compiled code that is not as it was written. All of it may be
// removed: it is made again.
type Damage struct {
	File string // below the directory
	What string
}

// Examine reads all compiled code in a directory and compares it with its digests,
// without changing anything. A directory that is missing has none. It returns how
// many modules have code there.
func Examine(ctx context.Context, dir string, damaged func(Damage)) (modules int, err error) {
	folders, err := withPrefix(dir, wazeroPrefix)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	work, err := os.MkdirTemp("", "mayfly-")
	if err != nil {
		return 0, err
	}
	defer removeAll(work)
	seed, own, err := fingerprint(work)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return 0, err
	}
	for _, folder := range folders {
		e := &examiner{folder: folder, damaged: damaged}
		if filepath.Base(folder) == own {
			e.seed = seed
		}
		n, err := e.examine(ctx)
		if err != nil {
			return modules, err
		}
		modules += n
	}
	return modules, nil
}

type examiner struct {
	folder  string
	seed    []byte // nil for code of other versions, whose modules can't be told
	damaged func(Damage)
}

func (e *examiner) examine(ctx context.Context) (modules int, err error) {
	files, err := os.ReadDir(e.folder)
	if err != nil {
		return 0, err
	}
	known := map[string]bool{}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return modules, err
		}
		digits, ok := strings.CutSuffix(f.Name(), manifestSuffix)
		if !ok {
			continue
		}
		modules++
		known[f.Name()] = true
		if entry := e.code(digits); entry != "" {
			known[entry], known[digits+moduleSuffix] = true, true
		}
	}
	for _, f := range files {
		if !known[f.Name()] {
			e.report(f.Name(), "no manifest speaks of it")
		}
	}
	return modules, nil
}

func (e *examiner) report(name, format string, args ...any) {
	e.damaged(Damage{filepath.Join(filepath.Base(e.folder), name), fmt.Sprintf(format, args...)})
}

// code looks at what belongs to a manifest and returns the name of its entry.
func (e *examiner) code(digits string) (entry string) {
	name := digits + manifestSuffix
	m, err := readManifest(filepath.Join(e.folder, name))
	if err != nil || m.key.String() != digits {
		e.report(name, "the manifest does not agree with its digest or name")
		return ""
	}
	entry = hex.EncodeToString(m.entry[:])
	size, digest, err := digestOf(entryPath(e.folder, m), m.size)
	if err != nil || size != m.size || digest != m.digest {
		e.report(entry, "the machine code does not agree with the digest in its manifest")
	}
	module, err := os.ReadFile(filepath.Join(e.folder, digits+moduleSuffix))
	if err != nil || e.seed != nil && keyOf(e.seed, sha256.Sum256(module)) != m.key {
		e.report(digits+moduleSuffix, "the module is not the one that was compiled")
	}
	return entry
}
