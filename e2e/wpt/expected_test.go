package wpt_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// maxNames is how many failing subtests of a test are listed by name.
const maxNames = 60

// entry is what a test is expected to give, as three kinds of lines say:
//
//	# why it fails, if that is meant, in front of one of the others
//	url/url-constructor.any.js?include=file 120/123 OK
//	  FAIL "the name of a subtest"
type entry struct {
	passed, total int
	status        string
	failing       []string // lines
	reasons       map[string]string
}

func entryOf(r result) *entry {
	e := &entry{total: len(r.Subtests), status: r.Status}
	for _, s := range r.Subtests {
		if s.Status == "PASS" {
			e.passed++
		} else if len(e.failing) < maxNames {
			e.failing = append(e.failing, s.Status+" "+strconv.Quote(s.Name))
		}
	}
	return e
}

// notRun is what is listed of a test that can't be run.
func notRun(why string) *entry {
	return &entry{status: "NOTRUN", reasons: map[string]string{"": "# " + why}}
}

func (e *entry) head() string { return fmt.Sprintf("%d/%d %s", e.passed, e.total, e.status) }

// expectations are those of an area by the name of the test.
type expectations map[string]*entry

func expectationsOf(file string) (expectations, error) {
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	all := expectations{}
	var current *entry
	var reason string
	for n, line := range strings.Split(string(data), "\n") {
		text := strings.TrimSpace(line)
		switch {
		case text == "":
			reason = ""
		case text[0] == '#':
			reason = text
		case line[0] != ' ':
			if current, err = all.add(text); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, n+1, err)
			}
			current.note("", &reason)
		case current == nil:
			return nil, fmt.Errorf("%s:%d: a subtest without a test", file, n+1)
		default:
			current.failing = append(current.failing, text)
			current.note(text, &reason)
		}
	}
	return all, nil
}

// add adds the test that a line names.
func (all expectations) add(line string) (*entry, error) {
	e := &entry{reasons: map[string]string{}}
	at := strings.LastIndexByte(line, ' ')
	if at >= 0 {
		at = strings.LastIndexByte(line[:at], ' ')
	}
	if at < 0 {
		return nil, fmt.Errorf("%q is not a test with its counts and status", line)
	}
	if _, err := fmt.Sscanf(line[at+1:], "%d/%d %s", &e.passed, &e.total, &e.status); err != nil {
		return nil, fmt.Errorf("%q: %w", line, err)
	}
	all[line[:at]] = e
	return e, nil
}

func (e *entry) note(line string, reason *string) {
	if *reason != "" {
		e.reasons[line] = *reason
	}
	*reason = ""
}

// write writes what expectationsOf reads.
func (all expectations) write(file string) error {
	var b strings.Builder
	b.WriteString("# What web-platform-tests are expected to give. Written by: make wpt WPT_UPDATE=1\n\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e := all[name]
		line := func(indent, key, text string) {
			if r := e.reasons[key]; r != "" {
				b.WriteString(indent + r + "\n")
			}
			b.WriteString(indent + text + "\n")
		}
		line("", "", name+" "+e.head())
		for _, f := range e.failing {
			line("  ", f, f)
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// differences says how what a test gave differs from what was expected.
func differences(got, want *entry) (list []string) {
	if got.head() != want.head() {
		list = append(list, fmt.Sprintf("got %s, want %s", got.head(), want.head()))
	}
	for _, f := range got.failing {
		if !slices.Contains(want.failing, f) && len(want.failing) < maxNames {
			list = append(list, "now: "+f)
		}
	}
	for _, f := range want.failing {
		if !slices.Contains(got.failing, f) && len(got.failing) < maxNames {
			list = append(list, "no longer: "+f)
		}
	}
	return list
}
