package backup

import (
	"fmt"
	"io"

	"github.com/mayfly-run/mayfly/kv"
)

// Each calls entry for every entry, in the order of their keys, and then blob for
// every blob; either may be nil. What comes before the damage of a damaged backup has
// been given then: Verify it first.
func Each(from io.Reader, entry func(kv.Entry) error, blob func(data []byte) error) (Summary, error) {
	v := visitor{
		header: func(Header) error { return nil },
		entry:  func(kv.Entry) error { return nil },
		blob:   func(kv.Digest, []byte) error { return nil },
	}
	if entry != nil {
		v.entry = entry
	}
	if blob != nil {
		v.blob = func(_ kv.Digest, data []byte) error { return blob(data) }
	}
	s, err := read(from, v)
	if err != nil {
		return s, fmt.Errorf("read backup: %w", err)
	}
	return s, nil
}
