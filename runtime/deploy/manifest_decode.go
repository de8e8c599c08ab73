package deploy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// decoder turns the values of a TOML file into a Manifest and reports what
// does not fit, with the place where it stands.
type decoder struct {
	report
	places map[string]place
	root   map[string]any
}

// item is a value of the file.
type item struct {
	path  string
	name  string // for messages
	value any
}

// fields are the keys that a table may have, with what reads each.
type fields map[string]func(item)

// newDecoder returns the file's top level, or nil after reporting why it
// cannot be read.
func newDecoder(file string, data []byte) (*decoder, *item) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	d := &decoder{report: newReport(file, text)}
	if len(data) > maxManifest {
		d.addf(0, "the file has %d bytes, and at most %d are allowed", len(data), maxManifest)
		return d, nil
	}
	if at := invalidUTF8(text); at >= 0 {
		d.addf(at, "the byte 0x%02x is not UTF-8", text[at])
		return d, nil
	}
	var tooDeep int
	if d.places, tooDeep = locate(text); tooDeep >= 0 {
		d.addf(tooDeep, "this is nested more than %d levels deep", maxDepth)
		return d, nil
	}
	if _, err := toml.Decode(text, &d.root); err != nil {
		d.syntax(err)
		return d, nil
	}
	return d, &item{value: d.root}
}

func invalidUTF8(text string) int {
	if utf8.ValidString(text) {
		return -1
	}
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			return i
		}
	}
	return -1
}

// syntax reports an error of the TOML library. Its line and column are wrong
// at the end of a file; its offset is right.
func (d *decoder) syntax(err error) {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		d.addf(0, "%v", err)
		return
	}
	d.addf(parse.Position.Start, "%s", strings.TrimSuffix(parse.Message, "."))
}

func (d *decoder) badKey(it item, format string, args ...any) {
	d.addf(d.places[it.path].key, format, args...)
}

func (d *decoder) badValue(it item, format string, args ...any) {
	d.addf(d.places[it.path].value, format, args...)
}

// want reports a value of the wrong type or range.
func (d *decoder) want(it item, what string) {
	d.badValue(it, "%s wants %s, not %s", it.name, what, describe(it.value))
}

func describe(value any) string {
	switch v := value.(type) {
	case string:
		if v == "" {
			return "an empty string"
		}
		return "a string"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return "a date without quotes"
	case map[string]any:
		return "a table"
	}
	return "a list"
}

// shown is describe, but with the text of a string.
func shown(value any) string {
	if s, ok := value.(string); ok && s != "" {
		return strconv.Quote(s)
	}
	return describe(value)
}

// table reads a table by its keys in the order of the file, and reports those
// that it may not have. foreign are Cloudflare's keys for it that are not ours.
func (d *decoder) table(it item, known fields, foreign ...string) bool {
	m, ok := it.value.(map[string]any)
	if !ok {
		d.want(it, "a table")
		return false
	}
	for _, child := range d.children(it, m) {
		key := child.key
		switch read, ok := known[key]; {
		case ok:
			read(child.item)
		case slices.Contains(foreign, key):
			d.badKey(child.item, "%q is Cloudflare's, not offered by Mayfly yet", key)
		default:
			d.unknown(it, child.item, key, known)
		}
	}
	return true
}

type child struct {
	item
	key string
}

// children are the entries of a table in the order of the file.
func (d *decoder) children(it item, m map[string]any) []child {
	var all []child
	for key, value := range m {
		all = append(all, child{item{childPath(it.path, key), strconv.Quote(key), value}, key})
	}
	slices.SortFunc(all, func(a, b child) int {
		if x, y := d.places[a.path].key, d.places[b.path].key; x != y {
			return x - y
		}
		return strings.Compare(a.key, b.key)
	})
	return all
}

// unknown reports a key that a table may not have, as helpfully as it can.
func (d *decoder) unknown(table, it item, key string, known fields) {
	section := sectionName(table.path)
	if home := d.home(key); home != section {
		if home == topLevel {
			d.stray(table, it, key)
			return
		}
		if home != "" && near(key, known) == "" {
			d.badKey(it, "%q stands %s; it belongs %s", key, section, home)
			return
		}
	}
	if guess := near(key, known); guess != "" {
		d.badKey(it, "unknown key %q %s: did you mean %q?", key, section, guess)
		return
	}
	keys := slices.Sorted(maps.Keys(known))
	d.badKey(it, "unknown key %q %s, which may have %s", key, section, strings.Join(keys, ", "))
}

const topLevel = "at the top level"

// home says where a key belongs, or "".
func (d *decoder) home(key string) string {
	if _, ok := d.topFields(&Manifest{}, nil)[key]; ok {
		return topLevel
	}
	for table, known := range map[string]fields{
		"limits": d.limits(&Limits{}), "build": d.build(&Build{}), "dev": d.dev(&Dev{}), "egress": d.egress(&Egress{}),
	} {
		if _, ok := known[key]; ok {
			return sectionName(table)
		}
	}
	return ""
}

// stray reports a key of the top level inside a table. Mostly it was written
// below the table's header by mistake.
func (d *decoder) stray(table, it item, key string) {
	section := sectionName(table.path)
	if !d.places[table.path].header {
		d.badKey(it, "%q stands %s; it belongs %s", key, section, topLevel)
		return
	}
	first := len(d.text)
	for _, p := range d.places {
		if p.header {
			first = min(first, p.value)
		}
	}
	d.badKey(it, "%q stands %s; move it up, above the first table header on line %d", key, section, d.lineOf(first))
}

// sectionName says where the keys of a table stand.
func sectionName(path string) string {
	switch {
	case path == "":
		return topLevel
	case strings.HasSuffix(path, "]"):
		return "in [[" + path[:strings.LastIndexByte(path, '[')] + "]]"
	}
	return "in [" + path + "]"
}

// elements are the elements of a list, or nil after reporting that it is none.
func (d *decoder) elements(it item, of string) []item {
	var values []any
	switch v := it.value.(type) {
	case []any:
		values = v
	case []map[string]any: // made by [[headers]]
		for _, m := range v {
			values = append(values, m)
		}
	default:
		d.want(it, "a list of "+of)
		return nil
	}
	items := make([]item, len(values))
	for i, v := range values {
		items[i] = item{elementPath(it.path, i), fmt.Sprintf("entry %d of %s", i+1, it.name), v}
	}
	return items
}

// readText reads a string that is not empty.
func (d *decoder) readText(it item) (string, bool) {
	s, ok := it.value.(string)
	if !ok || s == "" {
		d.want(it, "a string")
	}
	return s, ok && s != ""
}

// textTo, integerTo and boolTo make the reader of a field.

func (d *decoder) textTo(to *string) func(item) {
	return func(it item) {
		if s, ok := d.readText(it); ok {
			*to = s
		}
	}
}

func (d *decoder) integerTo(to *int64, least, most int64) func(item) {
	return func(it item) {
		n, ok := it.value.(int64)
		if !ok || n < least || n > most {
			d.want(it, fmt.Sprintf("a whole number from %d to %d", least, most))
			return
		}
		*to = n
	}
}

func (d *decoder) boolTo(to *bool) func(item) {
	return func(it item) {
		b, ok := it.value.(bool)
		if !ok {
			d.want(it, "true or false")
			return
		}
		*to = b
	}
}
