package assets

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Bounds of run_worker_first, Cloudflare's
// (https://developers.cloudflare.com/workers/static-assets/binding/#run_worker_first).
const (
	maxFirst     = 100
	maxFirstRule = 100 // bytes
)

// First says which requests the Function gets before files are looked for. Its JSON
// form is true, false, or a list of patterns.
type First struct {
	All bool
	// Patterns are paths in which * stands for anything. One with a ! before it is
	// for the files, and goes over the others.
	Patterns []string
}

// IsZero reports whether files come first for all requests.
func (f First) IsZero() bool { return !f.All && len(f.Patterns) == 0 }

// MarshalJSON implements json.Marshaler.
func (f First) MarshalJSON() ([]byte, error) {
	if len(f.Patterns) > 0 {
		return json.Marshal(f.Patterns)
	}
	return json.Marshal(f.All)
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *First) UnmarshalJSON(data []byte) error {
	*f = First{}
	if json.Unmarshal(data, &f.All) == nil {
		return nil
	}
	if err := json.Unmarshal(data, &f.Patterns); err != nil {
		return errors.New("run_worker_first is neither true, false, nor a list of patterns")
	}
	return nil
}

// Check says everything that is wrong with the patterns.
func (f First) Check() error {
	if f.Patterns == nil {
		return nil
	}
	if n := len(f.Patterns); n > maxFirst {
		return fmt.Errorf("run_worker_first has %d patterns; at most %d are allowed", n, maxFirst)
	}
	var errs []error
	positive := false
	for i, p := range f.Patterns {
		positive = positive || !strings.HasPrefix(p, "!")
		if err := f.checkPattern(i, p); err != nil {
			errs = append(errs, fmt.Errorf("run_worker_first: %q %w", p, err))
		}
	}
	if !positive {
		errs = append(errs, errors.New("run_worker_first has no pattern without a !; add one, or write false"))
	}
	return errors.Join(errs...)
}

func (f First) checkPattern(i int, p string) error {
	path := strings.TrimPrefix(p, "!")
	switch {
	case !strings.HasPrefix(path, "/"):
		return errors.New("does not begin with / or !/")
	case len(p) > maxFirstRule:
		return fmt.Errorf("has %d bytes; at most %d are allowed", len(p), maxFirstRule)
	}
	for j, other := range f.Patterns {
		if other == p && j < i {
			return errors.New("is given twice")
		}
		if stem, glob := strings.CutSuffix(other, "*"); glob && other != p && strings.HasPrefix(p, stem) {
			return fmt.Errorf("is never looked at, because of %q", other)
		}
	}
	return nil
}

// routes is a First as it is looked at.
type routes struct {
	function, files [][]string // each a pattern, cut at the *
}

func newRoutes(f First) *routes {
	if len(f.Patterns) == 0 {
		return nil
	}
	r := new(routes)
	for _, p := range f.Patterns {
		if path, negative := strings.CutPrefix(p, "!"); negative {
			r.files = append(r.files, strings.Split(path, "*"))
		} else {
			r.function = append(r.function, strings.Split(p, "*"))
		}
	}
	return r
}

func matchesAny(patterns [][]string, path string) bool {
	for _, p := range patterns {
		if matchesGlob(p, path) {
			return true
		}
	}
	return false
}

// matchesGlob matches the pieces between the * of a pattern. Taking each as early
// as possible leaves the most for those after it.
func matchesGlob(pieces []string, path string) bool {
	rest, ok := strings.CutPrefix(path, pieces[0])
	if !ok || len(pieces) == 1 {
		return ok && rest == ""
	}
	last := len(pieces) - 1
	for _, piece := range pieces[1:last] {
		_, after, found := strings.Cut(rest, piece)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, pieces[last])
}
