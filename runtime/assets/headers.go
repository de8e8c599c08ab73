package assets

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

// headerRule is what one path of _headers asks for.
type headerRule struct {
	Path  string
	Set   []Field
	Unset []string
	match *matcher
	line  int
}

// Field is a field of a header.
type Field struct{ Name, Value string }

// parseHeaders reads _headers: a path, and below it fields, or "! name" for a field
// that is not to be sent.
func parseHeaders(text string) (rules []headerRule, list []Problem) {
	p := &headerParser{}
	list = lines(text, p.line)
	for _, r := range p.rules {
		if len(r.Set)+len(r.Unset) == 0 {
			list = append(list, Problem{r.line, fmt.Sprintf("%s has no header fields below it", r.Path)})
		}
	}
	return p.rules, list
}

type headerParser struct {
	rules []headerRule
	at    *headerRule // nil before the first path
	skip  bool        // the path was no good, and its fields are not looked at
}

func (p *headerParser) line(n int, line string) error {
	if line[0] == '/' || strings.Contains(strings.SplitN(line, " ", 2)[0], "://") {
		return p.path(n, line)
	}
	if p.skip {
		return nil
	}
	if p.at == nil {
		return errors.New("a path comes before its header fields, and begins with /")
	}
	if name, ok := strings.CutPrefix(line, "! "); ok && !strings.Contains(line, ":") {
		p.at.Unset = append(p.at.Unset, strings.ToLower(strings.TrimSpace(name)))
		return nil
	}
	return p.field(line)
}

func (p *headerParser) path(n int, line string) error {
	p.skip, p.at = true, nil
	if len(p.rules) == maxHeaders {
		return fmt.Errorf("there are more than %d paths", maxHeaders)
	}
	path, err := ruleURL(line, pathOnly)
	if err != nil {
		return err
	}
	if rest, ok := strings.CutPrefix(path, secureStart); ok && strings.Contains(strings.SplitN(rest, "/", 2)[0], ":") && !isDynamic(path) {
		return fmt.Errorf("%q has a port, and rules are for all ports", line)
	}
	m, err := compile(path)
	if err != nil {
		return err
	}
	p.rules = append(p.rules, headerRule{Path: path, match: m, line: n})
	p.at, p.skip = &p.rules[len(p.rules)-1], false
	return nil
}

func (p *headerParser) field(line string) error {
	name, value, ok := strings.Cut(line, ":")
	name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
	switch {
	case !ok:
		return errors.New("this is neither a path, a field such as Name: value, nor ! Name")
	case !host.IsToken([]byte(name)):
		return fmt.Errorf("%q can't be the name of a header field", name)
	case host.IsHopByHop([]byte(name)):
		return fmt.Errorf("%s belongs to the connection, and the node sets it", name)
	case value == "":
		return fmt.Errorf("%s has no value", name)
	case strings.ContainsFunc(value, func(r rune) bool { return isControl(r) && r != '\t' }):
		return fmt.Errorf("the value of %s has a control character", name)
	}
	for i, f := range p.at.Set {
		if f.Name == name {
			p.at.Set[i].Value += ", " + value
			return nil
		}
	}
	p.at.Set = append(p.at.Set, Field{name, value})
	return nil
}

// lastOf keeps of rules for the same path what the last one says.
func lastOf(rules []headerRule) []headerRule {
	var kept []headerRule
	at := map[string]int{}
	for _, r := range rules {
		if i, again := at[r.Path]; again {
			kept[i] = r
			continue
		}
		at[r.Path] = len(kept)
		kept = append(kept, r)
	}
	return kept
}

// fieldList is a header that is being made.
type fieldList []Field

func (l *fieldList) add(name, value string) { *l = append(*l, Field{name, value}) }

func (l *fieldList) remove(name string) {
	kept := (*l)[:0]
	for _, f := range *l {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	*l = kept
}

// dress changes a header by all rules that a request matches. Values of several
// rules stand beside each other, in place of what was there.
func (s *Site) dress(l *fieldList, host, path string) {
	var own map[string]bool
	for i := range s.headers {
		r := &s.headers[i]
		found, ok := r.match.match(host, path)
		if !ok {
			continue
		}
		for _, name := range r.Unset {
			l.remove(name)
		}
		for _, f := range r.Set {
			if !own[f.Name] {
				l.remove(f.Name)
			}
			if own == nil {
				own = map[string]bool{}
			}
			own[f.Name] = true
			if value, ok := r.match.fill(f.Value, found); ok {
				l.add(f.Name, value)
			}
		}
	}
}
