package tomlfile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Table reads a table by its keys in the order of the file, and reports those
// that it may not have. Keys of unlisted are read as well, but errors about
// unknown keys do not propose them. Table reports whether the Item is a table.
func (f *File) Table(it Item, known Fields, unlisted ...Fields) bool {
	m, ok := it.Value.(map[string]any)
	if !ok {
		f.Want(it, "a table")
		return false
	}
	for _, child := range f.children(it, m) {
		if read := reader(child.Key, known, unlisted); read != nil {
			read(child)
			continue
		}
		f.unknown(it, child, known)
	}
	return true
}

func reader(key string, known Fields, unlisted []Fields) func(Item) {
	for _, fields := range append([]Fields{known}, unlisted...) {
		if read, ok := fields[key]; ok {
			return read
		}
	}
	return nil
}

// Children are the entries of a table in the order of the file, or nil after
// reporting that it wants what, such as "a table".
func (f *File) Children(it Item, what string) []Item {
	m, ok := it.Value.(map[string]any)
	if !ok {
		f.Want(it, what)
		return nil
	}
	return f.children(it, m)
}

func (f *File) children(it Item, m map[string]any) []Item {
	var all []Item
	for key, value := range m {
		all = append(all, f.item(ChildPath(it.Path, key), key, strconv.Quote(key), value))
	}
	slices.SortFunc(all, func(a, b Item) int {
		if a.KeyAt != b.KeyAt {
			return a.KeyAt - b.KeyAt
		}
		return strings.Compare(a.Key, b.Key)
	})
	return all
}

// Elements are the elements of a list, or nil after reporting that it wants a
// list of what of says, such as "strings".
func (f *File) Elements(it Item, of string) []Item {
	var values []any
	switch v := it.Value.(type) {
	case []any:
		values = v
	case []map[string]any: // made by [[headers]]
		for _, m := range v {
			values = append(values, m)
		}
	default:
		f.Want(it, "a list of "+of)
		return nil
	}
	items := make([]Item, len(values))
	for i, v := range values {
		items[i] = f.item(elementPath(it.Path, i), "", fmt.Sprintf("entry %d of %s", i+1, it.Name), v)
	}
	return items
}

// Required reports that a table lacks a key.
func (f *File) Required(table Item, key string) {
	if m, ok := table.Value.(map[string]any); ok {
		if _, ok := m[key]; !ok {
			f.BadValue(table, "%q is missing %s", key, section(table.Path))
		}
	}
}

// OneOf reports two keys that mean the same in one table.
func (f *File) OneOf(table Item, a, b string) {
	m, _ := table.Value.(map[string]any)
	if _, ok := m[a]; !ok {
		return
	}
	if _, ok := m[b]; !ok {
		return
	}
	first, later := f.places[ChildPath(table.Path, a)].key, f.places[ChildPath(table.Path, b)].key
	if first > later {
		later, a, b = first, b, a
	}
	f.Addf(later, "%q and %q stand %s; keep one of them", a, b, section(table.Path))
}

// Belongs notes that the keys of known belong in a table, "" for the top level,
// so that errors can say so where one of them stands elsewhere.
func (f *File) Belongs(table string, known Fields) {
	for key := range known {
		f.homes[key] = table
	}
}

// unknown reports a key that a table may not have, as helpfully as it can.
func (f *File) unknown(table, it Item, known Fields) {
	here, guess := section(table.Path), near(it.Key, known)
	if table.Path != "" && f.Stray(table, it) {
		return
	}
	if home, ok := f.homes[it.Key]; ok && section(home) != here && guess == "" {
		f.BadKey(it, "%q stands %s; it belongs %s", it.Key, here, section(home))
		return
	}
	if guess != "" {
		f.BadKey(it, "unknown key %q %s: did you mean %q?", it.Key, here, guess)
		return
	}
	keys := slices.Sorted(maps.Keys(known))
	f.BadKey(it, "unknown key %q %s, which may have %s", it.Key, here, strings.Join(keys, ", "))
}

// Stray reports a key inside a table that belongs at the top level, and whether
// it does. Mostly it was written below the table's header by mistake.
func (f *File) Stray(table, it Item) bool {
	if home, ok := f.homes[it.Key]; !ok || home != "" {
		return false
	}
	here := section(table.Path)
	if !table.Header {
		f.BadKey(it, "%q stands %s; it belongs %s", it.Key, here, section(""))
		return true
	}
	first := len(f.text)
	for _, p := range f.places {
		if p.header {
			first = min(first, p.value)
		}
	}
	f.BadKey(it, "%q stands %s; move it up, above the first table header on line %d", it.Key, here, f.LineOf(first))
	return true
}

// section says where the keys of a table stand.
func section(path string) string {
	switch {
	case path == "":
		return "at the top level"
	case strings.HasSuffix(path, "]"):
		return "in [[" + path[:strings.LastIndexByte(path, '[')] + "]]"
	}
	return "in [" + path + "]"
}
