package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// vector is a case of https://github.com/httpwg/structured-field-tests.
type vector struct {
	Name       string            `json:"name"`
	Raw        []string          `json:"raw"`
	HeaderType string            `json:"header_type"`
	Expected   []json.RawMessage `json:"expected"`
	MustFail   bool              `json:"must_fail"`
	CanFail    bool              `json:"can_fail"`
}

// Of each dictionary, the members that are strings ask for a Version, and no other
// does; a field that is malformed asks for nothing.
func TestOverrideVectors(t *testing.T) {
	root := os.Getenv("MAYFLY_VECTORS")
	if root == "" {
		t.Skip("MAYFLY_VECTORS does not name the folder of public test vectors; the header was not checked with them")
	}
	files, err := filepath.Glob(filepath.Join(root, "structured-fields", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	tried := 0
	for _, file := range files {
		for _, v := range mustVectors(t, file) {
			if v.HeaderType == "dictionary" && !v.CanFail {
				tried++
				checkVector(t, v)
			}
		}
	}
	if tried < 50 {
		t.Errorf("only %d vectors were tried", tried)
	}
}

func mustVectors(t *testing.T, file string) (list []vector) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		var v vector
		if json.Unmarshal(one, &v) == nil { // others are not of dictionaries
			list = append(list, v)
		}
	}
	return list
}

func checkVector(t *testing.T, v vector) {
	t.Helper()
	header := strings.Join(v.Raw, ", ")
	if v.MustFail {
		for _, name := range []string{"a", "b", "en"} {
			if got := deploy.Requested(header, name); got != "" {
				t.Errorf("%s: %q has %q for %s, and is malformed", v.Name, header, got, name)
			}
		}
		return
	}
	for _, member := range v.Expected {
		var pair [2]json.RawMessage
		var name, want string
		var item []json.RawMessage
		if json.Unmarshal(member, &pair) != nil || json.Unmarshal(pair[0], &name) != nil {
			t.Fatalf("%s: %s is no member", v.Name, member)
		}
		if json.Unmarshal(pair[1], &item) == nil && len(item) > 0 {
			json.Unmarshal(item[0], &want) //nolint:errcheck // what is no string asks for nothing
		}
		if got := deploy.Requested(header, name); got != want {
			t.Errorf("%s: %q has %q for %s, want %q", v.Name, header, got, name, want)
		}
	}
}
