package rewrite

import "strings"

// element is one that is open, or a start tag that is looked at.
type element struct {
	parent           *element
	name             string // lower case
	attrs            []string
	foreign          bool // within svg or math
	index, typeIndex int  // among its siblings, from 1
	children         int
	types            map[string]int // of the children, by their names
	handlers         []int          // that are for this element
	size             int            // bytes of its tag
	named            int            // bytes that types takes
}

func (e *element) attr(name string) (string, bool) {
	for i := 0; i < len(e.attrs); i += 2 {
		if e.attrs[i] == name {
			return e.attrs[i+1], true
		}
	}
	return "", false
}

// perName is about what a name in types takes beside its bytes.
const perName = 48

// add counts a child, and returns how many bytes that takes.
func (e *element) add(child *element) (bytes int) {
	child.parent = e
	e.children++
	if e.types == nil {
		e.types = map[string]int{}
	}
	if e.types[child.name] == 0 {
		bytes = perName + len(child.name)
		e.named += bytes
	}
	e.types[child.name]++
	child.index, child.typeIndex = e.children, e.types[child.name]
	child.foreign = e.foreign || child.name == "svg" || child.name == "math"
	return bytes
}

// void are the elements that have no content.
// https://html.spec.whatwg.org/#void-elements
var void = map[string]bool{
	"area": true, "base": true, "basefont": true, "bgsound": true, "br": true, "col": true, "embed": true, "frame": true, "hr": true, "img": true,
	"input": true, "keygen": true, "link": true, "meta": true, "param": true, "source": true, "track": true, "wbr": true,
}

const (
	space   = " \t\n\f\r"
	ends    = space + "/>"
	endsKey = ends + "="
)

// tagName is the name in a tag that begins with skip bytes, and what follows.
func tagName(raw string, skip int) (name, rest string) {
	raw = raw[skip:]
	end := strings.IndexAny(raw, ends)
	if end < 0 {
		end = len(raw)
	}
	return strings.ToLower(raw[:end]), raw[end:]
}

// attributes are the names and values, in turn, in what follows a start tag's name.
// References to characters stay as they are. Of two of one name, the first counts.
// https://html.spec.whatwg.org/#before-attribute-name-state
func attributes(rest string) (list []string) {
	seen := map[string]bool{}
	for {
		rest = strings.TrimLeft(rest, space+"/")
		if rest == "" || rest[0] == '>' {
			break
		}
		end := strings.IndexAny(rest[1:], endsKey) + 1 // a name may begin with =
		if end == 0 {
			end = len(rest)
		}
		name := strings.ToLower(rest[:end])
		var value string
		value, rest = attributeValue(strings.TrimLeft(rest[end:], space))
		if !seen[name] {
			seen[name] = true
			list = append(list, name, value)
		}
	}
	return list
}

func attributeValue(rest string) (value, after string) {
	rest, ok := strings.CutPrefix(rest, "=")
	if !ok {
		return "", rest
	}
	rest = strings.TrimLeft(rest, space)
	if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
		value, after, _ = strings.Cut(rest[1:], rest[:1])
		return value, after
	}
	end := strings.IndexAny(rest, space+">")
	if end < 0 {
		end = len(rest)
	}
	return rest[:end], rest[end:]
}
