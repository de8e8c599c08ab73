// Package mayflyversion tells a Function which of its Versions runs. It is apart
// from package mayfly because reading JSON makes a module larger.
package mayflyversion

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go"
)

// Metadata is what a node says about a Version.
type Metadata struct {
	ID        string    `json:"id"`
	Tag       string    `json:"tag"`       // empty if none was given
	Timestamp time.Time `json:"timestamp"` // when it was made
}

// Get returns the metadata that the configuration binds to a name:
//
//	[version_metadata]
//	binding = "CF_VERSION_METADATA"
//
// Without such a binding, the error is mayfly.ErrDenied. There is none during
// initialisation, in func init.
func Get(binding string) (m Metadata, err error) {
	text, ok := mayfly.Env(binding)
	if !ok {
		return m, &mayfly.Error{Op: "version metadata " + binding, Code: mayfly.ErrDenied, Message: "the configuration has no such binding"}
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("version metadata %s: %w", binding, err)
	}
	return m, nil
}
