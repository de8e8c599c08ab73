package deploy

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// withUnknown returns a record that is to be written, with those fields of the one
// before it that this program does not know: a newer one, on another node, has put
// them there, and is not to lose them. known is the record's type, a struct.
func withUnknown(before, record []byte, known reflect.Type) ([]byte, error) {
	var had map[string]json.RawMessage
	if json.Unmarshal(before, &had) != nil {
		return record, nil // what was there is damaged, and goes
	}
	for _, name := range fieldNames(known) {
		delete(had, name)
	}
	if len(had) == 0 {
		return record, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(record, &fields); err != nil {
		return nil, fmt.Errorf("add unknown fields: %w", err)
	}
	for name, value := range fields {
		had[name] = value
	}
	return json.Marshal(had)
}

// fieldNames are the names in JSON of a struct's fields.
func fieldNames(t reflect.Type) (names []string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && f.Anonymous:
			names = append(names, fieldNames(f.Type)...)
		case name == "":
			names = append(names, f.Name)
		default:
			names = append(names, name)
		}
	}
	return names
}
