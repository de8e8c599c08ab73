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
