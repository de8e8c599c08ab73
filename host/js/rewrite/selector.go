package rewrite

import (
	"fmt"
	"strconv"
	"strings"
)

// Selector chooses elements: those of CSS that HTMLRewriter documents. Types,
// *, classes, identifiers, attributes, :nth-child, :first-child, :nth-of-type,
// :first-of-type, :not, descendants and children, and lists of all of these.
// https://developers.cloudflare.com/workers/runtime-apis/html-rewriter/#selectors
type Selector struct{ any []complexSelector }

// complexSelector is compounds from the last one to the first, each with how the
// next one relates to it.
type complexSelector []compound

type compound struct {
	child bool // the next compound is of the parent, not of any ancestor
	tests []test
}

// test says whether an element fits, and counts what it looks at beside that.
type test func(e *element, looked *int64) bool

// maxSelector bounds a selector in bytes: each element is tested against all of it.
const maxSelector = 4 << 10

// ParseSelector reads a selector.
func ParseSelector(text string) (*Selector, error) {
	if len(text) > maxSelector {
		return nil, fmt.Errorf("the selector is longer than %d bytes", maxSelector)
	}
	p := &selectorParser{rest: text}
	s := p.list(0)
	if p.failed || p.rest != "" {
		return nil, fmt.Errorf("Parser error: %.60q can't be read in the selector %.200q", p.rest, text) //nolint:staticcheck // as Cloudflare begins it
	}
	return s, nil
}

type selectorParser struct {
	rest   string
	failed bool
}

func (p *selectorParser) fail() { p.failed = true }

func (p *selectorParser) space() bool {
	n := len(p.rest)
	p.rest = strings.TrimLeft(p.rest, " \t\n\r\f")
	return len(p.rest) < n
}

func (p *selectorParser) take(s string) bool {
	rest, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = rest
	}
	return ok
}

// maxNested bounds :not within :not.
const maxNested = 8

func (p *selectorParser) list(depth int) *Selector {
	s := new(Selector)
	if depth > maxNested {
		p.fail()
	}
	for !p.failed {
		p.space()
		s.any = append(s.any, p.complex(depth))
		p.space()
		if !p.take(",") {
			break
		}
	}
	return s
}

func (p *selectorParser) complex(depth int) complexSelector {
	var out complexSelector
	for child := false; !p.failed; {
		out = append(complexSelector{{child: child, tests: p.compound(depth)}}, out...)
		spaced := p.space()
		switch {
		case p.take(">"):
			child = true
			p.space()
		case spaced && p.rest != "" && p.rest[0] != ',' && p.rest[0] != ')':
			child = false
		default:
			return out
		}
	}
	return out
}

func (p *selectorParser) compound(depth int) (tests []test) {
	if p.take("*") {
		tests = append(tests, func(*element, *int64) bool { return true })
	} else if name := p.name(); name != "" {
		name = strings.ToLower(name)
		tests = append(tests, func(e *element, looked *int64) bool { return e.name == name })
	}
	for !p.failed {
		switch {
		case p.take("."):
			tests = append(tests, word("class", p.must(p.name())))
		case p.take("#"):
			id := p.must(p.name())
			tests = append(tests, func(e *element, looked *int64) bool { v, ok := e.attr("id"); return ok && v == id })
		case p.take("["):
			tests = append(tests, p.attribute())
		case p.take(":"):
			tests = append(tests, p.pseudo(depth))
		default:
			if len(tests) == 0 {
				p.fail()
			}
			return tests
		}
	}
	return tests
}

func (p *selectorParser) must(s string) string {
	if s == "" {
		p.fail()
	}
	return s
}

// name reads an identifier, with escapes of single characters.
func (p *selectorParser) name() string {
	var out []byte
	for p.rest != "" {
		c := p.rest[0]
		switch {
		case c == '\\' && len(p.rest) > 1:
			c, p.rest = p.rest[1], p.rest[1:]
		case c == '-' || c == '_' || c >= 0x80 || isLetter(c):
		case c >= '0' && c <= '9' && len(out) > 0:
		default:
			return string(out)
		}
		out, p.rest = append(out, c), p.rest[1:]
	}
	return string(out)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func word(name, want string) test {
	return func(e *element, looked *int64) bool {
		v, ok := e.attr(name)
		if !ok {
			return false
		}
		for w := range strings.FieldsSeq(v) {
			if w == want {
				return true
			}
		}
		return false
	}
}

var comparisons = []struct {
	op string
	is func(got, want string) bool
}{
	{"~=", func(got, want string) bool {
		for w := range strings.FieldsSeq(got) {
			if w == want {
				return true
			}
		}
		return false
	}},
	{"|=", func(got, want string) bool { return got == want || strings.HasPrefix(got, want+"-") }},
	{"^=", func(got, want string) bool { return want != "" && strings.HasPrefix(got, want) }},
	{"$=", func(got, want string) bool { return want != "" && strings.HasSuffix(got, want) }},
	{"*=", func(got, want string) bool { return want != "" && strings.Contains(got, want) }},
	{"=", func(got, want string) bool { return got == want }},
}

// attribute reads what follows a bracket.
func (p *selectorParser) attribute() test {
	p.space()
	name := strings.ToLower(p.must(p.name()))
	p.space()
	if p.take("]") {
		return func(e *element, looked *int64) bool { _, ok := e.attr(name); return ok }
	}
	for _, c := range comparisons {
		if !p.take(c.op) {
			continue
		}
		p.space()
		want := p.value()
		p.space()
		fold := p.take("i") || p.take("I")
		if !fold && !p.take("s") {
			p.take("S")
		}
		p.space()
		if !p.take("]") {
			p.fail()
		}
		if fold {
			want = strings.ToLower(want)
		}
		return func(e *element, looked *int64) bool {
			got, ok := e.attr(name)
			if fold {
				got = strings.ToLower(got)
			}
			return ok && c.is(got, want)
		}
	}
	p.fail()
	return nil
}

func (p *selectorParser) value() string {
	if p.rest == "" || p.rest[0] != '"' && p.rest[0] != '\'' {
		return p.must(p.name())
	}
	quote := p.rest[0]
	var out []byte
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == quote:
			p.rest = p.rest[i+1:]
			return string(out)
		case c == '\\' && i+1 < len(p.rest):
			i++
			out = append(out, p.rest[i])
		default:
			out = append(out, c)
		}
	}
	p.fail()
	return ""
}

// pseudo reads what follows a colon.
func (p *selectorParser) pseudo(depth int) test {
	switch name := strings.ToLower(p.name()); name {
	case "first-child":
		return func(e *element, looked *int64) bool { return e.index == 1 }
	case "first-of-type":
		return func(e *element, looked *int64) bool { return e.typeIndex == 1 }
	case "nth-child", "nth-of-type":
		a, b := p.nth()
		if name == "nth-child" {
			return func(e *element, looked *int64) bool { return isNth(e.index, a, b) }
		}
		return func(e *element, looked *int64) bool { return isNth(e.typeIndex, a, b) }
	case "not":
		if !p.take("(") {
			break
		}
		s := p.list(depth + 1)
		if !p.take(")") {
			break
		}
		return func(e *element, looked *int64) bool { return !s.matches(e, looked) }
	}
	p.fail()
	return nil
}

// isNth says whether i is a*n+b for some n that is not negative.
func isNth(i, a, b int) bool {
	if a == 0 {
		return i == b
	}
	return (i-b)%a == 0 && (i-b)/a >= 0
}

// nth reads an+b in parentheses.
func (p *selectorParser) nth() (a, b int) {
	inner, rest, ok := strings.Cut(p.rest, ")")
	if !ok || !strings.HasPrefix(inner, "(") {
		p.fail()
		return 0, 0
	}
	p.rest = rest
	text := strings.ToLower(strings.NewReplacer(" ", "", "\t", "").Replace(inner[1:]))
	switch text {
	case "odd":
		return 2, 1
	case "even":
		return 2, 0
	}
	step, offset, hasStep := strings.Cut(text, "n")
	if !hasStep {
		return 0, p.number(text)
	}
	switch step {
	case "", "+":
		a = 1
	case "-":
		a = -1
	default:
		a = p.number(step)
	}
	if offset != "" {
		b = p.number(offset)
	}
	return a, b
}

func (p *selectorParser) number(s string) int {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		p.fail()
	}
	return int(n)
}

// matches says whether the selector chooses e, unless that takes longer than maxLooks.
func (s *Selector) matches(e *element, looked *int64) bool {
	for _, c := range s.any {
		if c.matches(e, looked) {
			return true
		}
	}
	return false
}

// matches follows the compounds up the open elements, with all elements at once that
// a compound fits: so it takes no longer than all compounds at all elements.
func (c complexSelector) matches(e *element, looked *int64) bool {
	if !c[0].fits(e, looked) {
		return false
	}
	at := []*element{e} // innermost first
	for i := range c[1:] {
		if at = c[i].above(at, &c[i+1], looked); len(at) == 0 {
			return false
		}
	}
	return true
}

// above are the elements around some that the next compound fits.
func (c *compound) above(at []*element, next *compound, looked *int64) (fit []*element) {
	if c.child {
		for _, e := range at {
			if e.parent != nil && next.fits(e.parent, looked) {
				fit = append(fit, e.parent)
			}
		}
		return fit
	}
	for p := at[0].parent; p != nil; p = p.parent {
		if next.fits(p, looked) {
			fit = append(fit, p)
		}
	}
	return fit
}

// lookSize is how many bytes of a tag cost as much as a test does by itself.
const lookSize = 64

func (c *compound) fits(e *element, looked *int64) bool {
	*looked += int64(1+len(c.tests)) * int64(1+e.size/lookSize)
	if *looked > maxLooks {
		return false
	}
	for _, t := range c.tests {
		if !t(e, looked) {
			return false
		}
	}
	return true
}
