// Package memory provides the linear memory of instances: an Image that many
// share, and a Region for each, which begins with the Image and can be put back
// to it.
package memory

import "os"

// pageSize is the machine's, not WebAssembly's.
var pageSize = os.Getpagesize()

func roundUp(n int) int { return (n + pageSize - 1) / pageSize * pageSize }

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
