package tomlfile_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/tomlfile"
)

// shop is a file as a caller of this package would have it.
type shop struct {
	Name  string
	Open  bool
	Seats int64
	Tags  []string
	Rooms []room
}

type room struct {
	Name  string
	Seats int64
}

func parseShop(text string) (*shop, []string, error) {
	f, err := tomlfile.Parse("shop.toml", []byte(text))
	if err != nil {
		return nil, nil, err
	}
	s := &shop{}
	known := shopFields(f, s)
	f.Belongs("", known)
	f.Belongs("hours", hourFields(f, s))
	f.Table(f.Root(), known, tomlfile.Fields{
		"owner": func(it tomlfile.Item) { f.Warnf(it.KeyAt, "%s is not read", it.Key) },
	})
	f.OneOf(f.Root(), "tag", "tags")
	if err := f.Err(); err != nil {
		return nil, f.Warnings(), err
	}
	return s, f.Warnings(), nil
}

func shopFields(f *tomlfile.File, s *shop) tomlfile.Fields {
	return tomlfile.Fields{
		"name":  f.TextTo(&s.Name),
		"seats": f.IntegerTo(&s.Seats, 1, 9),
		"hours": func(it tomlfile.Item) { f.Table(it, hourFields(f, s)) },
		"tag":   func(it tomlfile.Item) { f.WantText(it, "another key") },
		"tags": func(it tomlfile.Item) {
			for _, e := range f.Elements(it, "strings") {
				if tag, ok := f.Text(e); ok {
					s.Tags = append(s.Tags, tag)
				}
			}
		},
		"rooms": func(it tomlfile.Item) {
			for _, e := range f.Elements(it, "rooms") {
				var r room
				f.Table(e, tomlfile.Fields{"name": f.TextTo(&r.Name), "seats": f.IntegerTo(&r.Seats, 1, 9)})
				f.Required(e, "name")
				s.Rooms = append(s.Rooms, r)
			}
		},
	}
}

func hourFields(f *tomlfile.File, s *shop) tomlfile.Fields {
	return tomlfile.Fields{"open": f.BoolTo(&s.Open)}
}

func TestValues(t *testing.T) {
	got, warnings, err := parseShop(`
name = "Bread"
owner = "someone"
tags = ["a", "b"]
rooms = [{ name = "in", seats = 5 }, { name = "out" }]
hours.open = true
`)
	want := &shop{Name: "Bread", Open: true, Tags: []string{"a", "b"}, Rooms: []room{{"in", 5}, {Name: "out"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	if want := []string{"shop.toml:3:1: owner is not read"}; !reflect.DeepEqual(warnings, want) {
		t.Errorf("got warnings %q, want %q", warnings, want)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"in the order of the file", "seats = 10\n\n[[rooms]]\nname = 5\n[[rooms]]\nseats = 0", []string{
			`1:9: "seats" wants a whole number from 1 to 9, not 10`,
			`4:8: "name" wants a string, not 5`,
			`5:1: "name" is missing in [[rooms]]`,
			`6:9: "seats" wants a whole number from 1 to 9, not 0`,
		}},
		{"wrong types", "name = ''\nseats = 1.5\nhours = 2025-01-31\ntags = {}\nrooms = ['a', []]", []string{
			`1:8: "name" wants a string, not an empty string`,
			`2:9: "seats" wants a whole number from 1 to 9, not 1.5`,
			`3:9: "hours" wants a table, not a date without quotes`,
			`4:8: "tags" wants a list of strings, not a table`,
			`5:10: entry 1 of "rooms" wants a table, not a string`,
			`5:15: entry 2 of "rooms" wants a table, not a list`,
		}},
		{"neither true nor false", "[hours]\nopen = 'no'", []string{`2:8: "open" wants true or false, not a string`}},
		{"a text is shown", "tag = 'a'", []string{`1:7: "tag" wants another key, not "a"`}},
		{"two keys for one", "tags = []\ntag = ''", []string{
			`2:1: "tags" and "tag" stand at the top level; keep one of them`,
			`2:7: "tag" wants another key, not an empty string`,
		}},
		{"near a known key", "naem = 'a'\nseat = 1\n[hour]\n[[rooms]]\nname = 'a'\nseast = 1", []string{
			`1:1: unknown key "naem" at the top level: did you mean "name"?`,
			`2:1: unknown key "seat" at the top level: did you mean "seats"?`,
			`3:2: unknown key "hour" at the top level: did you mean "hours"?`,
			`6:1: unknown key "seast" in [[rooms]]: did you mean "seats"?`,
		}},
		{"near an unlisted key", "owners = 'a'", []string{
			`1:1: unknown key "owners" at the top level, which may have hours, name, rooms, seats, tag, tags`,
		}},
		{"belongs elsewhere", "open = true\n[hours]\nseats = 1", []string{
			`1:1: "open" stands at the top level; it belongs in [hours]`,
			`3:1: "seats" stands in [hours]; move it up, above the first table header on line 2`,
		}},
		{"belongs elsewhere, no header", "hours = { seats = 1 }", []string{
			`1:11: "seats" stands in [hours]; it belongs at the top level`,
		}},
		{"column in characters", "hours = { 'ä' = 1, b = 2 }", []string{
			`1:11: unknown key "ä" in [hours], which may have open`,
			`1:20: unknown key "b" in [hours], which may have open`,
		}},
		{"no TOML", "name = ", []string{`1:7: unexpected EOF; expected value`}},
		{"no UTF-8", "name = '\xff'", []string{`1:9: the byte 0xff is not UTF-8`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := parseShop(tt.text)
			want := "shop.toml:" + strings.Join(tt.want, "\nshop.toml:")
			if err == nil || err.Error() != want {
				t.Errorf("got\n%v\nwant\n%s", err, want)
			}
		})
	}
}

func TestReport(t *testing.T) {
	r := tomlfile.NewReport("notes", "one\ntwö\nthree")
	if err := r.Err(); err != nil {
		t.Errorf("got %v before anything was added", err)
	}
	r.Addf(100, "beyond the end counts as %s", "the end")
	r.Addf(8, "a line end belongs to its line")
	r.Addf(-1, "before the start")
	r.Warnf(4, "no error")
	want := "notes:1:1: before the start\nnotes:2:4: a line end belongs to its line\nnotes:3:6: beyond the end counts as the end"
	if err := r.Err(); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var first *tomlfile.Error
	if !errors.As(r.Err(), &first) || *first != (tomlfile.Error{File: "notes", Line: 1, Column: 1, Msg: "before the start"}) {
		t.Errorf("got %+v first", first)
	}
	if got, want := r.Warnings(), []string{"notes:2:1: no error"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got warnings %q, want %q", got, want)
	}
}

func TestChildPath(t *testing.T) {
	tests := []struct{ table, key, want string }{
		{"", "a", "a"}, {"a", "b-C_1", "a.b-C_1"}, {"a", "", `a.""`}, {"a.b", "c.d", `a.b."c.d"`}, {"", "ä", `"ä"`}, {"a", "[0]", `a."[0]"`},
	}
	for _, tt := range tests {
		if got := tomlfile.ChildPath(tt.table, tt.key); got != tt.want {
			t.Errorf("ChildPath(%q, %q) = %s, want %s", tt.table, tt.key, got, tt.want)
		}
	}
}

// FuzzParse checks that any text gives either a value, or errors that have a
// position inside the text, in order.
func FuzzParse(f *testing.F) {
	for _, s := range tomlSeeds() {
		f.Add(s)
	}
	f.Add("name = 'a'\nseats = 10\n[[rooms]]\n[hours]\nopen = 1\nname = 2")
	f.Fuzz(func(t *testing.T, text string) {
		s, _, err := parseShop(text)
		if err == nil {
			return
		}
		if s != nil {
			t.Error("got a value beside the error")
		}
		checkPositions(t, text, err)
	})
}

func checkPositions(t *testing.T, text string, err error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %T, want joined errors", err)
	}
	lines := strings.Split(text, "\n")
	line, column := 1, 1
	for _, e := range joined.Unwrap() {
		at, ok := e.(*tomlfile.Error)
		if !ok {
			t.Fatalf("got %T %v, want a *tomlfile.Error", e, e)
		}
		inside := at.Line >= 1 && at.Line <= len(lines) && at.Column >= 1 && at.Column <= len(lines[at.Line-1])+1
		if !inside || at.Line < line || at.Line == line && at.Column < column || at.Msg == "" {
			t.Errorf("%q: %v is not in the text or before %d:%d", text, at, line, column)
		}
		line, column = at.Line, at.Column
	}
}
