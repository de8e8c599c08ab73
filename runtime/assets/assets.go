// Package assets owns static files: which file answers a request, with which
// header, and where its bytes come from. The rules are those of Cloudflare's
// asset worker
// (https://developers.cloudflare.com/workers/static-assets/routing/advanced/html-handling/).
//
// Start reading at Site, which is pure; Server has the bytes.
package assets

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mayfly-run/mayfly/kv"
)

// What html_handling and not_found_handling may be. The first of each is in force
// where nothing is said.
const (
	AutoTrailingSlash  = "auto-trailing-slash"
	ForceTrailingSlash = "force-trailing-slash"
	DropTrailingSlash  = "drop-trailing-slash"
	NoHTMLHandling     = "none"

	NoNotFound = "none"
	SPA        = "single-page-application"
	Page404    = "404-page"
)

// HTMLHandlings and NotFoundHandlings are the values that there are.
func HTMLHandlings() []string {
	return []string{AutoTrailingSlash, ForceTrailingSlash, DropTrailingSlash, NoHTMLHandling}
}

// NotFoundHandlings are the values that there are.
func NotFoundHandlings() []string { return []string{NoNotFound, SPA, Page404} }

// Config says how files answer requests. Its JSON form is that of "config" in the
// metadata of an upload.
type Config struct {
	HTMLHandling     string `json:"html_handling,omitempty"`
	NotFoundHandling string `json:"not_found_handling,omitempty"`
	RunWorkerFirst   First  `json:"run_worker_first,omitzero"`
	Headers          string `json:"_headers,omitempty"`   // the file's text
	Redirects        string `json:"_redirects,omitempty"` // the file's text
}

// maxRuleFile is how long _headers and _redirects may be, in bytes.
const maxRuleFile = 256 << 10

// Check says everything that is wrong with a Config.
func (c *Config) Check() error {
	var errs []error
	if c.HTMLHandling != "" && !slices.Contains(HTMLHandlings(), c.HTMLHandling) {
		errs = append(errs, fmt.Errorf("html_handling is %q; it can be %s", c.HTMLHandling, strings.Join(HTMLHandlings(), ", ")))
	}
	if c.NotFoundHandling != "" && !slices.Contains(NotFoundHandlings(), c.NotFoundHandling) {
		errs = append(errs, fmt.Errorf("not_found_handling is %q; it can be %s", c.NotFoundHandling, strings.Join(NotFoundHandlings(), ", ")))
	}
	if err := c.RunWorkerFirst.Check(); err != nil {
		errs = append(errs, err)
	}
	_, inRedirects := parseRedirects(c.Redirects, c.HTMLHandling)
	_, inHeaders := parseHeaders(c.Headers)
	return errors.Join(append(errs, problems("_redirects", inRedirects), problems("_headers", inHeaders))...)
}

// Problem is what is wrong with a line of _headers or _redirects.
type Problem struct {
	Line int // from 1
	What string
}

// maxProblems is how many problems of a file are told.
const maxProblems = 20

func problems(file string, list []Problem) error {
	var errs []error
	for _, p := range list[:min(len(list), maxProblems)] {
		errs = append(errs, fmt.Errorf("%s:%d: %s", file, p.Line, p.What))
	}
	return errors.Join(errs...)
}

// Content is the first Size bytes of a blob.
type Content struct {
	Digest kv.Digest `json:"digest"`
	Size   int64     `json:"size"` // bytes
}

// File is one file of a Manifest.
type File struct {
	Content
	Type string `json:"type,omitempty"` // Content-Type; empty: none is sent
	// Encoded are smaller forms of it, the smallest first.
	Encoded []Encoded `json:"encoded,omitempty"`
}

// Encoded is a file as it is sent with a Content-Encoding.
type Encoded struct {
	Encoding string `json:"encoding"`
	Content
}

// Manifest has the files by their path, which begins with "/" and is not percent-encoded.
type Manifest map[string]File

// maxPath is how long a path may be, in bytes.
const maxPath = 1024

// CheckPath says whether a file may have this path.
func CheckPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/") || len(path) == 1:
		return fmt.Errorf("path %q does not begin with a / and a name", path)
	case len(path) > maxPath:
		return fmt.Errorf("path %.40q... has %d bytes; at most %d are allowed", path, len(path), maxPath)
	case !utf8.ValidString(path) || strings.ContainsFunc(path, isControl):
		return fmt.Errorf("path %q has control characters, or is not UTF-8", path)
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("path %q has an empty segment, or one of dots alone, and no request would find it", path)
		}
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
