// Package tomlfile reads TOML files that people write and tells all that is
// wrong in one, each error with the line and column where it stands and, for an
// unknown key, the one that was probably meant. Start reading at Parse and
// File.Table.
//
// A reader of a table is a Fields: for each key what to do with its value.
// Readers report and go on, so that a user sees all errors at once; whoever
// called Parse asks File.Err at the end.
package tomlfile

import (
	"errors"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxSize bounds a file in bytes.
const maxSize = 1 << 20

// File is a TOML file of at most 1 MiB, decoded, with what was found wrong in
// it so far. It is not safe for concurrent use.
type File struct {
	*Report
	places map[string]place
	homes  map[string]string // by key: the path of the table it belongs in
	root   map[string]any
}

// Item is a value of a File.
type Item struct {
	Path string // from the top level, as ChildPath writes it; "" is the top level
	Key  string // "" for the top level and for elements of lists
	Name string // for messages: the key in quotes, or "entry 1 of ..."
	// Value is what the TOML library decodes into an any: string, int64,
	// float64, bool, time.Time, []any, map[string]any, or []map[string]any for
	// a list of tables that have headers.
	Value any
	// KeyAt and ValueAt are where key and value stand, as byte offsets for
	// Report.Addf. For elements of lists both are where the element stands.
	KeyAt, ValueAt int
	Header         bool // the value is a table with a header of its own
}

// Fields are the keys that a table may have, with what reads the value of each.
type Fields map[string]func(Item)

// Parse decodes a file; name is what errors call it. The error is that of
// Report.Err and says why the file is no TOML, or that it is longer than 1 MiB
// or nested more than 32 levels deep.
func Parse(name string, data []byte) (*File, error) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	f := &File{Report: NewReport(name, text), homes: map[string]string{}}
	f.decode(text, len(data))
	if err := f.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

// decode reports the first thing that keeps the text from being decoded.
func (f *File) decode(text string, size int) {
	if size > maxSize {
		f.Addf(0, "the file has %d bytes, and at most %d are allowed", size, maxSize)
		return
	}
	if !f.CheckUTF8() {
		return
	}
	var tooDeep int
	if f.places, tooDeep = locate(text); tooDeep >= 0 {
		f.Addf(tooDeep, "this is nested more than %d levels deep", maxDepth)
		return
	}
	if _, err := toml.Decode(text, &f.root); err != nil {
		f.syntax(err)
	}
}

// syntax reports an error of the TOML library. Its line and column are wrong
// at the end of a file; its offset is right.
func (f *File) syntax(err error) {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		f.Addf(0, "%v", err)
		return
	}
	f.Addf(parse.Position.Start, "%s", strings.TrimSuffix(parse.Message, "."))
}

// Root is the top level, a map[string]any.
func (f *File) Root() Item { return Item{Value: f.root} }

func (f *File) item(path, key, name string, value any) Item {
	p := f.places[path]
	return Item{Path: path, Key: key, Name: name, Value: value, KeyAt: p.key, ValueAt: p.value, Header: p.header}
}

// BadKey reports that the key of an Item must not stand there.
func (f *File) BadKey(it Item, format string, args ...any) { f.Addf(it.KeyAt, format, args...) }

// BadValue reports what is wrong with the value of an Item.
func (f *File) BadValue(it Item, format string, args ...any) { f.Addf(it.ValueAt, format, args...) }
