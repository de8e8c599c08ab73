package assets

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
)

// Site is the files of one Version with the rules for them. It is immutable and
// safe for concurrent use.
type Site struct {
	files    map[string]*File
	html     string
	notFound string
	static   map[string]redirect
	dynamic  []redirect
	headers  []headerRule
	routes   *routes
	first    bool // the Function comes first, whatever the path
	function bool
	navigate bool
	size     int64
}

// Options are what a Site needs to know of its Version.
type Options struct {
	// Function says that there is one, which gets what no file answers.
	Function bool
	// CompatibilityDate is YYYY-MM-DD. From 2025-04-01 on, navigation of browsers
	// gets what not_found_handling says instead of the Function
	// (https://developers.cloudflare.com/workers/configuration/compatibility-flags/#navigation-requests-prefer-asset-serving).
	CompatibilityDate string
}

const navigationSince = "2025-04-01"

// NewSite makes a Site of what Config.Check has accepted.
func NewSite(m Manifest, c Config, o Options) *Site {
	s := &Site{
		files: make(map[string]*File, len(m)), static: map[string]redirect{},
		html: cmp.Or(c.HTMLHandling, AutoTrailingSlash), notFound: cmp.Or(c.NotFoundHandling, NoNotFound),
		routes: newRoutes(c.RunWorkerFirst), first: c.RunWorkerFirst.All && o.Function,
		function: o.Function, navigate: o.CompatibilityDate >= navigationSince,
	}
	for path, f := range m {
		s.files[path] = &f
		s.size += int64(len(path)+len(f.Type)) + fileOverhead
	}
	redirects, _ := parseRedirects(c.Redirects, c.HTMLHandling)
	for _, r := range redirects {
		if r.match == nil {
			s.static[r.From] = r
		} else {
			s.dynamic = append(s.dynamic, r)
		}
	}
	rules, _ := parseHeaders(c.Headers)
	s.headers = lastOf(rules)
	s.size += ruleOverhead * int64(len(s.headers)+len(s.dynamic))
	return s
}

// What an entry takes in memory, in bytes, about.
const (
	fileOverhead = 300
	ruleOverhead = 8 << 10
)

// Size is what the Site takes in memory, in bytes, about.
func (s *Site) Size() int64 { return s.size }

// Request is what of a request matters here.
type Request struct {
	Method string
	Host   string // without a port
	Path   string // percent-encoded, begins with "/"
	Query  string // with its "?", or empty

	AcceptEncoding, IfNoneMatch, Range, IfRange string

	Authorized bool // it has Authorization
	Navigate   bool // its Sec-Fetch-Mode is navigate
}

// Answer is what answers a request.
type Answer struct {
	Status int
	Header []Field
	// Content is nil if there is no body. Of it, Length bytes from Offset on are
	// sent; none to HEAD.
	Content        *Content
	Offset, Length int64
}

// Serve answers a request, or reports that it is the Function's.
func (s *Site) Serve(r *Request) (a Answer, ok bool) {
	path := normalize(r.Path)
	if s.function && s.isFunctions(path) {
		return a, false
	}
	if s.function && !(s.routes != nil && matchesAny(s.routes.files, path)) {
		notFound := NoNotFound
		if s.routes != nil || s.navigate && r.Navigate {
			notFound = s.notFound
		}
		if !s.answers(r, path, notFound) {
			return a, false
		}
	}
	return s.fetch(r, path), true
}

// isFunctions says whether the Function gets a path before files are looked for.
func (s *Site) isFunctions(path string) bool {
	if s.routes == nil {
		return s.first
	}
	return !matchesAny(s.routes.files, path) && matchesAny(s.routes.function, path)
}

// answers says whether there is something at a path.
func (s *Site) answers(r *Request, path, notFound string) bool {
	if _, ok := s.redirect(r.Host, path); ok {
		return true
	}
	return s.find(decodePath(path), notFound) != intent{}
}

// Fetch answers a request of the Function itself, whatever is the Function's.
func (s *Site) Fetch(r *Request) Answer { return s.fetch(r, normalize(r.Path)) }

func (s *Site) fetch(r *Request, path string) Answer {
	a := s.resolve(r, path)
	header := fieldList(a.Header)
	s.dress(&header, r.Host, path)
	a.Header = header
	return a
}

func (s *Site) resolve(r *Request, path string) Answer {
	at := path
	if to, ok := s.redirect(r.Host, path); ok {
		if to.Status != http.StatusOK {
			return moveTo(to.Status, to.location(r.Query))
		}
		at = normalize(cutPath(to.To))
	}
	found := s.find(decodePath(at), s.notFound)
	if found == (intent{}) {
		return Answer{Status: http.StatusNotFound}
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return Answer{Status: http.StatusMethodNotAllowed, Header: []Field{{"Allow", "GET, HEAD"}}}
	}
	if found.redirect != "" {
		return moveTo(http.StatusTemporaryRedirect, encodePath(found.redirect)+r.Query)
	}
	if to := encodePath(decodePath(at)); to != at {
		return moveTo(http.StatusTemporaryRedirect, to+r.Query)
	}
	return found.file.answer(r, found.status)
}

// cutPath is a target's path.
func cutPath(to string) string {
	to, _, _ = strings.Cut(to, "#")
	to, _, _ = strings.Cut(to, "?")
	return to
}

func moveTo(status int, location string) Answer {
	return Answer{Status: status, Header: []Field{{"Location", location}}}
}

// cacheControl has browsers ask each time whether what they have is still it.
const cacheControl = "public, max-age=0, must-revalidate"

// answer is that of a file.
func (f *File) answer(r *Request, status int) Answer {
	content, encoding := f.choose(r)
	a := Answer{Status: status, Content: content, Length: content.Size}
	tag := etag(content)
	a.add("ETag", tag)
	if f.Type != "" {
		a.add("Content-Type", f.Type)
	}
	if !r.Authorized && r.Range == "" {
		a.add("Cache-Control", cacheControl)
	}
	if len(f.Encoded) > 0 {
		a.add("Vary", "Accept-Encoding")
	}
	if encoding != "" {
		a.add("Content-Encoding", encoding)
	}
	if status == http.StatusOK {
		a.add("Accept-Ranges", "bytes")
	}
	if matchesTag(r.IfNoneMatch, tag) {
		a.Status, a.Content, a.Length = http.StatusNotModified, nil, 0
		return a
	}
	if status == http.StatusOK && r.ranged(tag) {
		a.cut(r.Range)
	}
	return a
}

func (a *Answer) add(name, value string) { a.Header = append(a.Header, Field{name, value}) }

// cut leaves the range that is asked for.
func (a *Answer) cut(field string) {
	size := a.Content.Size
	from, to, asked := parseRange(field, size)
	switch {
	case !asked:
	case from >= to:
		a.Status, a.Content, a.Length = http.StatusRequestedRangeNotSatisfiable, nil, 0
		a.add("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
	default:
		a.Status, a.Offset, a.Length = http.StatusPartialContent, from, to-from
		a.add("Content-Range", "bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(to-1, 10)+"/"+strconv.FormatInt(size, 10))
	}
}
