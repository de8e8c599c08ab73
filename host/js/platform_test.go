package js_test

import (
	"regexp"
	"testing"

	"github.com/mayfly-run/mayfly/host/js"
)

var declared = regexp.MustCompile(`(?m)^(?:async )?(?:const|let|class|function\*?) (\w+)`)

// All parts of the platform stand in one scope, where a second function of the same
// name would silently take the place of the first.
func TestPlatformDeclaresOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range declared.FindAllStringSubmatch(js.Platform(), -1) {
		if seen[m[1]] {
			t.Errorf("%s is declared twice", m[1])
		}
		seen[m[1]] = true
	}
	if len(seen) < 100 {
		t.Errorf("found %d names", len(seen))
	}
}
