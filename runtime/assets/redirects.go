package assets

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// redirect is a line of _redirects.
type redirect struct {
	From   string
	To     string
	Status int // 200: the path of To is looked for instead
	match  *matcher
}

// parseRedirects reads _redirects: lines of a path, where it leads, and a status.
// Lines without * and :name, before the first one that has any, are looked up at
// once; others in their order. html is what html_handling is.
func parseRedirects(text, html string) (list []redirect, wrong []Problem) {
	p := &redirectParser{html: html, seen: map[string]bool{}}
	wrong = lines(text, p.line)
	return p.list, wrong
}

type redirectParser struct {
	html            string
	list            []redirect
	seen            map[string]bool
	static, dynamic int
}

func (p *redirectParser) line(_ int, line string) error {
	tokens := strings.Fields(line)
	if i := slices.IndexFunc(tokens, func(t string) bool { return t[0] == '#' }); i > 0 {
		tokens = tokens[:i]
	}
	if len(tokens) < 2 || len(tokens) > 3 {
		return fmt.Errorf("there are %d words; a path, where it leads and perhaps a status are expected", len(tokens))
	}
	r := redirect{Status: http.StatusFound}
	var err error
	if r.From, err = fromPath(tokens[0]); err != nil {
		return err
	}
	if r.To, err = ruleURL(tokens[1], wholeURL); err != nil {
		return err
	}
	if len(tokens) == 3 {
		if r.Status, err = strconv.Atoi(tokens[2]); err != nil || !slices.Contains([]int{200, 301, 302, 303, 307, 308}, r.Status) {
			return fmt.Errorf("the status %q is none of 200, 301, 302, 303, 307 and 308", tokens[2])
		}
	}
	if err := p.check(r); err != nil {
		return err
	}
	return p.add(r)
}

func fromPath(token string) (string, error) {
	if strings.Contains(token, "://") {
		return "", fmt.Errorf("%q is a URL; redirects begin at a path", token)
	}
	return ruleURL("/"+strings.TrimPrefix(token, "/"), pathOnly)
}

func (p *redirectParser) check(r redirect) error {
	relative := strings.HasPrefix(r.To, "/")
	index := strings.HasSuffix(r.To, "/index") || strings.HasSuffix(r.To, "/index.html")
	loop := strings.HasSuffix(r.From, "/*") || strings.HasSuffix(r.From, "/") && p.html != NoHTMLHandling
	switch {
	case relative && index && loop:
		return fmt.Errorf("%s would lead to itself again and again, since the end of %s is dropped; for pages of an application set not_found_handling = %q", r.From, r.To, SPA)
	case p.seen[r.From]:
		return fmt.Errorf("there is already a line for %s", r.From)
	case r.Status == http.StatusOK && !relative:
		return fmt.Errorf("with status 200 only a path of this site can be answered with, not %s", r.To)
	}
	return nil
}

func (p *redirectParser) add(r redirect) (err error) {
	p.seen[r.From] = true
	if p.dynamic == 0 && !isDynamic(r.From) {
		if p.static++; p.static > maxStatic {
			return fmt.Errorf("there are more than %d lines without * or :name", maxStatic)
		}
		p.list = append(p.list, r)
		return nil
	}
	if p.dynamic++; p.dynamic > maxDynamic {
		return fmt.Errorf("there are more than %d lines with * or :name, or after one", maxDynamic)
	}
	if r.match, err = compile(r.From); err != nil {
		return err
	}
	p.list = append(p.list, r)
	return nil
}

// redirect is the line of _redirects for a path, with its target filled in.
func (s *Site) redirect(host, path string) (r redirect, ok bool) {
	if r, ok := s.static[path]; ok {
		return r, true
	}
	for i := range s.dynamic {
		d := &s.dynamic[i]
		found, ok := d.match.match(host, path)
		if !ok {
			continue
		}
		to, ok := d.match.fill(d.To, found)
		if !ok {
			continue
		}
		if !strings.HasPrefix(to, secureStart) {
			to = oneSlash(to)
		}
		return redirect{From: d.From, To: to, Status: d.Status}, true
	}
	return redirect{}, false
}

// location is where a redirect sends a request: to its own query, if it has one,
// or else to that of the request.
func (r *redirect) location(query string) string {
	to, hash, hasHash := strings.Cut(r.To, "#")
	if !strings.Contains(to, "?") {
		to += query
	}
	if hasHash {
		to += "#" + hash
	}
	return to
}
