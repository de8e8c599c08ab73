package certs

import "golang.org/x/crypto/acme/autocert"

// NewFolder keeps what it is given in a directory until close.
func NewFolder(dir string) (kept autocert.Cache, close func()) {
	f := &folder{DirCache: autocert.DirCache(dir)}
	return f, f.close
}
