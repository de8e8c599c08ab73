package js

import (
	"strings"

	"github.com/nlnwa/whatwg-url/url"
)

var urlOps = []operation{
	{"opURLParse", parseURL},
	{"opURLSet", setURL},
}

// parser is for the URL standard (https://url.spec.whatwg.org/).
var parser = url.NewParser(url.WithPathPercentEncodeSet(url.PathPercentEncodeSet.Set('^')))

// What a URL may have, in bytes, and what parsing one costs, in units of work.
const (
	maxURLText = 1 << 20
	urlWeight  = 60
)

// parseURL gives the parts of the URL text, relative to data unless n is 0, or null.
func parseURL(q *query) (kind, error) {
	if len(q.text)+len(q.data) > maxURLText {
		return null, nil
	}
	q.Work(urlWeight * int64(len(q.text)+len(q.data)))
	input := string(scalars(q.text))
	var u *url.Url
	var err error
	if q.n == 0 {
		u, err = parser.Parse(input)
	} else {
		u, err = parser.ParseRef(string(scalars(q.data)), input)
	}
	if err != nil {
		return null, nil
	}
	return q.give(partsOf(u))
}

// partsOf is what the properties of a URL show, each ended by NUL.
func partsOf(u *url.Url) string {
	href, path := u.Href(false), u.Pathname()
	if opaque, found := strings.CutSuffix(path, " "); found {
		// A space at the end of an opaque path, in front of a query or a fragment:
		// https://url.spec.whatwg.org/#cannot-be-a-base-url-path-state
		rest := strings.TrimPrefix(href, u.Protocol()+path)
		path = opaque + "%20"
		href = u.Protocol() + path + rest
	}
	return strings.Join([]string{href, u.Protocol(), u.Username(), u.Password(), u.Host(), u.Hostname(), u.Port(), path, u.Search(), u.Hash()}, "\x00")
}

var setters = []func(*url.Url, string){
	1: (*url.Url).SetProtocol,
	2: (*url.Url).SetUsername,
	3: (*url.Url).SetPassword,
	4: (*url.Url).SetHost,
	5: (*url.Url).SetHostname,
	6: (*url.Url).SetPort,
	7: (*url.Url).SetPathname,
	8: (*url.Url).SetSearch,
	9: (*url.Url).SetHash,
}

// setURL sets one part, by its place among partsOf, of the URL text to data, and
// gives all of them.
func setURL(q *query) (kind, error) {
	if len(q.text)+len(q.data) > maxURLText {
		return null, nil
	}
	q.Work(urlWeight * int64(len(q.text)+len(q.data)))
	u, err := parser.Parse(string(q.text))
	if err != nil || q.n < 1 || int(q.n) >= len(setters) {
		return null, nil
	}
	setters[q.n](u, string(scalars(q.data)))
	return q.give(partsOf(u))
}
