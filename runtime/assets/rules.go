package assets

import (
	"fmt"
	"regexp"
	"strings"
)

// Bounds of _headers and _redirects, Cloudflare's
// (https://developers.cloudflare.com/workers/static-assets/headers/,
// https://developers.cloudflare.com/workers/static-assets/redirects/).
const (
	maxLine     = 2000 // characters
	maxHeaders  = 100
	maxStatic   = 2000
	maxDynamic  = 100
	secureStart = "https://"
)

func placeholders() *regexp.Regexp { return regexp.MustCompile(`:[A-Za-z]\w*`) }

// matcher is the path of a rule, in which * stands for anything and :name for a
// segment.
type matcher struct {
	expr *regexp.Regexp
	host bool // it is about a host as well
}

// compile makes a matcher. A name may occur once, and * is the name splat.
func compile(rule string) (*matcher, error) {
	var b strings.Builder
	m := &matcher{host: strings.HasPrefix(rule, secureStart)}
	names, pattern := placeholders(), rule
	inHost := m.host
	seen := map[string]bool{}
	take := func(name, class string) error {
		if seen[name] {
			return fmt.Errorf("%q has two * or :%s; give each placeholder a name of its own", rule, name)
		}
		seen[name] = true
		fmt.Fprintf(&b, "(?P<%s>%s)", name, class)
		return nil
	}
	if m.host {
		b.WriteString(regexp.QuoteMeta(secureStart))
		pattern = pattern[len(secureStart):]
	}
	for len(pattern) > 0 {
		inHost = inHost && pattern[0] != '/'
		n, err := 1, error(nil)
		switch loc := names.FindStringIndex(pattern); {
		case pattern[0] == '*':
			err = take("splat", ".*")
		case loc != nil && loc[0] == 0 && inHost:
			n, err = loc[1], take(pattern[1:loc[1]], "[^/.]+")
		case loc != nil && loc[0] == 0:
			n, err = loc[1], take(pattern[1:loc[1]], "[^/]+")
		default:
			b.WriteString(regexp.QuoteMeta(pattern[:1]))
		}
		if err != nil {
			return nil, err
		}
		pattern = pattern[n:]
	}
	expr, err := regexp.Compile("^" + b.String() + "$")
	m.expr = expr
	return m, err
}

// match returns what the placeholders stand for, or ok = false.
func (m *matcher) match(host, path string) (found []string, ok bool) {
	if m.host {
		path = secureStart + host + path
	}
	found = m.expr.FindStringSubmatch(path)
	return found, found != nil
}

// maxFilled is how long a text may become, in bytes: what a request has in its path
// could be repeated without end.
const maxFilled = 16 << 10

// fill puts what was found in the place of the names in text. What was found is not
// looked through again.
func (m *matcher) fill(text string, found []string) (filled string, ok bool) {
	if strings.IndexByte(text, ':') < 0 {
		return text, true
	}
	var pairs []string
	size := len(text)
	for i, name := range m.expr.SubexpNames() {
		if name != "" {
			pairs = append(pairs, ":"+name, found[i])
			size += strings.Count(text, ":"+name) * len(found[i])
		}
	}
	if size > maxFilled {
		return "", false
	}
	return strings.NewReplacer(pairs...).Replace(text), true
}

// The parts of a URL that a rule keeps.
const (
	pathOnly = iota
	wholeURL
)

// ruleURL brings a path, or an https URL, of a rule into the form in which requests
// have it.
func ruleURL(token string, keep int) (string, error) {
	origin, path := "", token
	if rest, ok := strings.CutPrefix(token, secureStart); ok {
		rest = strings.TrimLeft(rest, "/")
		host, after, _ := strings.Cut(rest, "/")
		if host == "" {
			return "", fmt.Errorf("%q has no host", token)
		}
		origin, path = secureStart+escape(host, pathSet), "/"+after
	}
	if !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("%q is neither a path that begins with / nor an https:// URL", token)
	}
	path, hash, hasHash := strings.Cut(path, "#")
	path, query, hasQuery := strings.Cut(path, "?")
	url := origin + normalize(path)
	if keep == wholeURL && hasQuery {
		url += "?" + escape(query, querySet)
	}
	if keep == wholeURL && hasHash {
		url += "#" + escape(hash, querySet)
	}
	return url, nil
}

func isDynamic(path string) bool {
	return strings.Contains(path, "*") || placeholders().MatchString(path)
}

// lines calls do for each line of a file that says something, and collects what is
// wrong with it.
func lines(text string, do func(n int, line string) error) (list []Problem) {
	if len(text) > maxRuleFile {
		return []Problem{{1, fmt.Sprintf("the file has %d bytes; at most %d are allowed", len(text), maxRuleFile)}}
	}
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		var err error
		if len(line) > maxLine {
			err = fmt.Errorf("the line has %d characters; at most %d are allowed", len(line), maxLine)
		} else {
			err = do(n, line)
		}
		if err != nil {
			list = append(list, Problem{n, err.Error()})
		}
	}
	return list
}
