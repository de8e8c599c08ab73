package deploy

import (
	"strings"

	"github.com/mayfly-run/mayfly/runtime/tomlfile"
)

// ParseDevVars reads .dev.vars: variables and secrets for developing, one
// KEY=value per line, as wrangler reads it. file is the name that errors give.
//
//   - A key is an identifier; "export" may stand before it. Spaces around key
//     and value are dropped; empty lines and those that begin with "#" are
//     skipped.
//   - A value without quotes ends at the first "#" or at the end of the line.
//   - A value in single, double or back quotes is taken as it stands and may
//     span lines; only in double quotes "\n" and "\r" become line ends. A
//     backslash before the quote keeps it from ending the value, unless
//     nothing else could, and stays.
//   - Nothing is expanded.
//
// At most 128 variables of 5 KiB. What wrangler skips or takes in part (a line
// without "=", a quote that is not closed, text after a quote, a key given
// twice) is an error; errors are reported as those of ParseManifest.
//
// The format is that of the dotenv package that wrangler uses. The known Go
// libraries for it differ in just these rules (they expand "$NAME" and
// unescape), and tell no lines.
func ParseDevVars(file string, data []byte) (map[string]string, error) {
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
	s := &devVars{Report: tomlfile.NewReport(file, text), text: text, vars: map[string]string{}, first: map[string]int{}}
	if !s.CheckUTF8() {
		return nil, s.Err()
	}
	for s.at < len(text) {
		s.line()
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return s.vars, nil
}

type devVars struct {
	*tomlfile.Report
	text  string
	at    int // offset of the next line
	vars  map[string]string
	first map[string]int // the line of each key
}

// line reads one line, or more if a quoted value spans them.
func (s *devVars) line() {
	line, _, _ := strings.Cut(s.text[s.at:], "\n")
	start := s.at + len(line) - len(strings.TrimLeft(line, " \t"))
	end := s.at + len(line)
	s.at = end + 1
	if start == end || s.text[start] == '#' {
		return
	}
	before, _, found := strings.Cut(s.text[start:end], "=")
	if !found {
		s.Addf(start, `there is no "=" here; write KEY=value`)
		return
	}
	value, ok := s.value(start+len(before)+1, end)
	if ok {
		s.set(start, before, value)
	}
}

// value reads what follows "=" up to the end of the line.
func (s *devVars) value(start, end int) (string, bool) {
	for start < end && (s.text[start] == ' ' || s.text[start] == '\t') {
		start++
	}
	if start < end && strings.IndexByte("'\"`", s.text[start]) >= 0 {
		return s.quoted(start)
	}
	value, _, _ := strings.Cut(s.text[start:end], "#")
	return strings.TrimSpace(value), true
}

// quoted reads a value whose opening quote is at start, and moves s.at behind
// the line of the closing one.
func (s *devVars) quoted(start int) (string, bool) {
	quote := s.text[start]
	end, closed := closingQuote(s.text, start)
	if !closed {
		s.Addf(start, "the quote %c is not closed", quote)
		return "", false
	}
	rest, _, _ := strings.Cut(s.text[end+1:], "\n")
	s.at = end + 1 + len(rest) + 1
	if !endsLine(s.text[end+1:]) {
		s.Addf(end+1, "only a comment may follow the closing quote")
		return "", false
	}
	value := s.text[start+1 : end]
	if quote == '"' {
		value = strings.NewReplacer(`\n`, "\n", `\r`, "\r").Replace(value)
	}
	return value, true
}

// closingQuote finds the quote that closes the one at start: the first without
// a backslash before it, if its line ends there; else the last with one whose
// line does, as in 'C:\dir\'; else the first without, if there is any.
func closingQuote(text string, start int) (end int, closed bool) {
	escaped := -1
	for end = start + 1; end < len(text); end++ {
		if text[end] != text[start] {
			continue
		}
		ends := endsLine(text[end+1:])
		if end-1 == start || text[end-1] != '\\' {
			if !ends && escaped >= 0 {
				return escaped, true
			}
			return end, true
		}
		if ends {
			escaped = end
		}
	}
	return escaped, escaped >= 0
}

// endsLine reports whether nothing but a comment stands in the rest of a line.
func endsLine(rest string) bool {
	rest = strings.TrimLeft(rest, " \t\r")
	return rest == "" || rest[0] == '\n' || rest[0] == '#'
}

// set notes a variable; before is what stands before "=".
func (s *devVars) set(at int, before, value string) {
	key := strings.TrimSpace(before)
	if name, exported := strings.CutPrefix(key, "export"); exported && strings.TrimLeft(name, " \t") != name {
		key = strings.TrimSpace(name)
	}
	switch first, again := s.first[key]; {
	case !isIdentifier(key):
		s.Addf(at, "%q is not an identifier: letters, digits and underscores, no digit first", key)
	case again:
		s.Addf(at, "%s is already on line %d", key, first)
	case len(s.vars) == maxVars:
		s.Addf(at, "%s is variable %d; at most %d are allowed", key, maxVars+1, maxVars)
	default:
		s.first[key] = s.LineOf(at)
		s.vars[key] = value
		if err := checkVar(value, len(value)); err != nil {
			s.Addf(at, "%s %v", key, err)
		}
	}
}
