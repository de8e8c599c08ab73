package js

import (
	gobytes "bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

var cacheOps = []operation{
	{"opCacheMatch", cacheMatch},
	{"opCachePut", cachePut},
	{"opCacheDelete", cacheDelete},
}

// maxCacheName is the longest name of a cache, in bytes.
const maxCacheName = 1024

// cached reads the beginning of text: the name of a cache, NUL, a URL, NUL. It
// counts as an outbound request, as on Cloudflare.
func (q *query) cached() (key, rest string, err error) {
	name, rest, _ := strings.Cut(string(q.text), "\x00")
	url, rest, _ := strings.Cut(rest, "\x00")
	if len(name) > maxCacheName || len(url) > host.MaxURL {
		return "", "", host.Errorf(host.CodeInvalid, "the name of a cache has at most %d bytes, a URL %d", maxCacheName, host.MaxURL)
	}
	if q.Usage.Subrequests >= q.Limits.Subrequests {
		return "", "", host.Errorf(host.CodeLimit, "the limit of %d outbound requests per invocation is used up", q.Limits.Subrequests)
	}
	q.Usage.Subrequests++
	q.Work(host.KVWeight)
	return name + "\x00" + url, rest, nil
}

// cacheMatch gives what a cache has for a request, whose block of headers ends text:
// status, NUL, the handle of the body, NUL, and the block of headers; or null.
func cacheMatch(q *query) (kind, error) {
	key, block, err := q.cached()
	if err != nil || q.Bindings.Cache == nil {
		return null, err
	}
	if err := q.Handles.Room(); err != nil {
		return 0, err
	}
	r, ok := q.Bindings.Cache.Match(key, host.Headers(toLatin1([]byte(block))))
	if !ok {
		return null, nil
	}
	h, handleErr := q.Handles.Add(&readable{r: gobytes.NewReader(r.Body)})
	if handleErr != nil {
		return 0, handleErr
	}
	return q.give(strconv.Itoa(r.Status) + "\x00" + strconv.Itoa(int(h)) + "\x00" + fromLatin1(r.Headers))
}

// cachePut has a cache keep a response: n is the status, text ends with the block of
// headers, data is the body. What may not be kept is not.
func cachePut(q *query) (kind, error) {
	key, block, err := q.cached()
	if err != nil || q.Bindings.Cache == nil {
		return noValue, err
	}
	headers := host.Headers(toLatin1([]byte(block)))
	if err := headers.Check(); err != nil {
		return 0, err
	}
	if vary, _ := headers.Joined("vary"); strings.Contains(vary, "*") {
		return 0, host.Errorf(host.CodeInvalid, "Cannot cache response with 'Vary: *' header.")
	}
	if q.n == http.StatusPartialContent {
		return 0, host.Errorf(host.CodeInvalid, "Cannot cache response to a range request (206 Partial Content).")
	}
	q.Work(int64(len(q.data)))
	q.Bindings.Cache.Put(key, host.CachedResponse{Status: int(q.n), Headers: headers, Body: gobytes.Clone(q.data)})
	return noValue, nil
}

// cacheDelete gives whether a cache had something.
func cacheDelete(q *query) (kind, error) {
	key, _, err := q.cached()
	if err != nil || q.Bindings.Cache == nil {
		return boolean(false), err
	}
	return boolean(q.Bindings.Cache.Delete(key)), nil
}
