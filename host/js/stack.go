package js

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/go-sourcemap/sourcemap"
)

// place is a place in a stack trace: "index.js:3:5".
var place = regexp.MustCompile(`([^\s()]+):(\d+):(\d+)`)

// MapStack has a stack trace, or a text with some, show the places in the sources that
// an encoded Program was made of, where it has source maps. It takes as long as reading those does:
// tens of milliseconds for large ones.
func MapStack(program []byte, stack string) (mapped string) {
	defer func() {
		if recover() != nil { // the library panics on some maps that are none
			mapped = stack
		}
	}()
	p, err := DecodeProgram(program)
	if err != nil || !p.HasMaps() {
		return stack
	}
	maps, places := map[string]*sourcemap.Consumer{}, 0
	return place.ReplaceAllStringFunc(stack, func(at string) string {
		if places++; places > maxPlaces {
			return at
		}
		m := place.FindStringSubmatch(at)
		name, line, column := m[1], number(m[2]), number(m[3])
		if _, ok := maps[name]; !ok {
			maps[name] = p.sourceMap(name)
		}
		if maps[name] == nil {
			return at
		}
		file, _, line, column, ok := maps[name].Source(line, column-1)
		if !ok || len(file) > maxSource {
			return at
		}
		return relative(file) + ":" + strconv.Itoa(line) + ":" + strconv.Itoa(column+1)
	})
}

// Bounds of what a stack trace becomes: how many places are shown in the sources, and
// how long the name of one may be, in bytes.
const (
	maxPlaces = 200
	maxSource = 1 << 10
)

// HasMaps reports whether there is a source map for any module.
func (p *Program) HasMaps() bool {
	for i := range p.Modules {
		if len(p.Modules[i].Map) > 0 {
			return true
		}
	}
	return false
}

// maxMap is the size of the largest source map that is read, in bytes: reading it
// takes ten times as much memory.
const maxMap = 4 << 20

// sourceMap is the map of a module, or nil if it has none that can be read.
func (p *Program) sourceMap(name string) *sourcemap.Consumer {
	m := p.find(name)
	if m == nil || len(m.Map) == 0 || len(m.Map) > maxMap {
		return nil
	}
	c, err := sourcemap.Parse("", m.Map)
	if err != nil {
		return nil
	}
	return c
}

// relative is a source as seen from the project, which is above where it was built.
func relative(file string) string {
	for strings.HasPrefix(file, "../") {
		file = file[len("../"):]
	}
	return file
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
