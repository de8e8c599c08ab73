package tomlfile

import (
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxDepth bounds how deeply tables, arrays and dotted keys nest: both this
// file and the TOML library recurse, and name each level by its whole path.
const maxDepth = 32

// place says where a value stands in the text, in byte offsets.
type place struct {
	key    int  // the key; for an element of an array, the element
	value  int  // the value, or the "[" of a table's header
	header bool // the value is a table with a header of its own
}

// locator walks a TOML text and notes where each key and value stands.
//
// The TOML library checks and decodes, but tells where a key stands only in
// its own errors: it keeps positions to itself, and one per key path, so that
// the second [[table]] of a name overwrites the first. This walk knows just
// enough of the grammar to find its way through a text that the library
// accepts. It ends on any text; where the text is not TOML the places mean
// nothing, but up to there they are right, so that tooDeep is, too.
type locator struct {
	text    string
	at      int
	places  map[string]place
	lengths map[string]int // arrays made by [[headers]]
	tooDeep int            // offset of what is nested too deeply, or -1
}

// locate returns the places of all paths: keys as ChildPath and elements as
// elementPath write them.
func locate(text string) (places map[string]place, tooDeep int) {
	l := &locator{text: text, places: map[string]place{}, lengths: map[string]int{}, tooDeep: -1}
	table, depth := "", 0
	for l.skipBlank(); l.at < len(text) && l.tooDeep < 0; l.skipBlank() {
		start := l.at
		if l.peek() == '[' {
			table, depth = l.header()
		} else {
			l.pair(table, depth)
		}
		if l.at == start {
			l.at++ // not TOML
		}
	}
	return l.places, l.tooDeep
}

// header reads "[a.b]" or "[[a.b]]" and returns the table's path.
func (l *locator) header() (path string, depth int) {
	start := l.at
	l.at++
	array := l.peek() == '['
	if array {
		l.at++
	}
	parts := l.key()
	for i, p := range parts {
		path = ChildPath(path, p.name)
		depth++
		if i < len(parts)-1 {
			l.implicit(path, p.at)
			path, depth = l.lastElement(path, depth)
			continue
		}
		if !array {
			l.places[path] = place{key: p.at, value: start, header: true}
			continue
		}
		l.implicit(path, p.at)
		l.lengths[path]++
		path, depth = l.lastElement(path, depth)
		l.places[path] = place{key: start, value: start, header: true}
	}
	for l.peek() == ']' {
		l.at++
	}
	l.limit(depth, start)
	return path, depth
}

// implicit notes a table that is there because something stands inside it.
func (l *locator) implicit(path string, at int) {
	if _, ok := l.places[path]; !ok {
		l.places[path] = place{key: at, value: at}
	}
}

// lastElement is the table that a path means inside a header.
func (l *locator) lastElement(path string, depth int) (string, int) {
	if n := l.lengths[path]; n > 0 {
		return elementPath(path, n-1), depth + 1
	}
	return path, depth
}

// pair reads "a.b = value" inside a table.
func (l *locator) pair(path string, depth int) {
	at := l.at
	for _, p := range l.key() {
		path, at = ChildPath(path, p.name), p.at
		depth++
		l.implicit(path, at)
	}
	l.limit(depth, at)
	if l.peek() != '=' || l.tooDeep >= 0 {
		return
	}
	l.at++
	l.skipSpace()
	l.value(path, at, depth)
}

func (l *locator) value(path string, key, depth int) {
	l.places[path] = place{key: key, value: l.at}
	switch l.peek() {
	case '[':
		l.array(path, depth)
	case '{':
		l.list('}', func() { l.pair(path, depth) })
	case '"', '\'':
		l.str()
	default:
		l.skipUntil(",]}#\r\n")
	}
}

func (l *locator) array(path string, depth int) {
	n := 0
	l.list(']', func() {
		l.limit(depth+1, l.at)
		if l.tooDeep < 0 {
			l.value(elementPath(path, n), l.at, depth+1)
		}
		n++
	})
}

// list reads what stands between two brackets, separated by commas.
func (l *locator) list(end byte, element func()) {
	l.at++
	for l.skipBlank(); l.at < len(l.text) && l.tooDeep < 0; l.skipBlank() {
		start := l.at
		switch l.peek() {
		case end:
			l.at++
			return
		case ',':
			l.at++
		default:
			element()
		}
		if l.at == start {
			return // not TOML
		}
	}
}

func (l *locator) limit(depth, at int) {
	if depth > maxDepth && l.tooDeep < 0 {
		l.tooDeep = at
	}
}

type keyPart struct {
	name string
	at   int
}

// key reads a dotted key.
func (l *locator) key() (parts []keyPart) {
	for l.at < len(l.text) && len(parts) <= maxDepth {
		l.skipSpace()
		start := l.at
		if c := l.peek(); c == '"' || c == '\'' {
			l.str()
			parts = append(parts, keyPart{unquote(l.text[start:l.at]), start})
		} else {
			l.skipUntil(".=[]{}\"'#, \t\r\n")
			parts = append(parts, keyPart{l.text[start:l.at], start})
		}
		l.skipSpace()
		if l.peek() != '.' {
			break
		}
		l.at++
	}
	return parts
}

// str skips a string of any of the four kinds.
func (l *locator) str() {
	quote := l.text[l.at : l.at+1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(l.text[l.at:], long) {
		l.skipString(long)
		for range 2 { // up to two quotes may stand before the closing three
			if l.peek() == quote[0] {
				l.at++
			}
		}
		return
	}
	l.skipString(quote)
}

func (l *locator) skipString(quote string) {
	for l.at += len(quote); l.at < len(l.text); l.at++ {
		if strings.HasPrefix(l.text[l.at:], quote) {
			l.at += len(quote)
			return
		}
		if quote[0] == '"' && l.text[l.at] == '\\' {
			l.at++
		}
	}
	l.at = len(l.text)
}

func (l *locator) peek() byte {
	if l.at < len(l.text) {
		return l.text[l.at]
	}
	return 0
}

func (l *locator) skipUntil(stop string) {
	for l.at < len(l.text) && strings.IndexByte(stop, l.text[l.at]) < 0 {
		l.at++
	}
}

func (l *locator) skipSpace() {
	for c := l.peek(); c == ' ' || c == '\t'; c = l.peek() {
		l.at++
	}
}

// skipBlank skips white space, line ends and comments.
func (l *locator) skipBlank() {
	for {
		switch l.peek() {
		case ' ', '\t', '\r', '\n':
			l.at++
		case '#':
			l.skipUntil("\n")
		default:
			return
		}
	}
}

// unquote reads a quoted key. Escapes are rare enough to be left to the library.
func unquote(quoted string) string {
	if quoted[0] == '"' && strings.Contains(quoted, `\`) {
		var v struct{ Key string }
		if _, err := toml.Decode("Key = "+quoted, &v); err == nil {
			return v.Key
		}
	}
	return strings.Trim(quoted, quoted[:1])
}

// ChildPath is the path of a key in a table: as in TOML, quoted where needed,
// so that no two paths are written the same.
func ChildPath(table, key string) string {
	if key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		key = strconv.Quote(key)
	}
	if table == "" {
		return key
	}
	return table + "." + key
}

// elementPath is the path of an element of an array, from 0.
func elementPath(array string, i int) string {
	return array + "[" + strconv.Itoa(i) + "]"
}
