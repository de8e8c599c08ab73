package control

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// route answers one method of one path below base. "{name}" in the path stands
// for a segment that is not empty, "{name...}" at its end for all that follows.
type route struct {
	method string
	path   string
	area   area
	handle func(*request) error
	access access
}

// area is what a route is about; error codes differ between them.
type area int

const (
	areaAccounts area = iota
	areaScripts
	areaKV
)

// access is who may use a route. Routes of an account are for its tokens as
// well.
type access int

const (
	accessToken access = iota // every token
	accessAdmin               // tokens for administrators
)

const (
	script    = "accounts/{account}/workers/scripts/{script}"
	spaces    = "accounts/{account}/storage/kv/namespaces"
	space     = spaces + "/{namespace}"
	oneAcct   = "accounts/{account}"
	allTokens = "accounts/{account}/tokens"

	backupPath = "mayfly/backup"
)

func (a *api) table() []route {
	return []route{
		{"GET", "user", areaAccounts, getUser, accessToken},
		{"GET", "memberships", areaAccounts, listMemberships, accessToken},
		{"GET", "user/tokens/verify", areaAccounts, verifyToken, accessToken},
		{"GET", "user/tokens", areaAccounts, listTokens, accessAdmin},
		{"POST", "user/tokens", areaAccounts, createToken, accessAdmin},
		{"DELETE", "user/tokens/{token}", areaAccounts, revokeToken, accessAdmin},

		{"GET", backupPath, areaAccounts, downloadBackup, accessAdmin},

		{"GET", "accounts", areaAccounts, listAccounts, accessToken},
		{"POST", "accounts", areaAccounts, createAccount, accessAdmin},
		{"GET", oneAcct, areaAccounts, getAccount, accessToken},
		{"DELETE", oneAcct, areaAccounts, deleteAccount, accessAdmin},
		{"GET", allTokens, areaAccounts, listTokens, accessAdmin},
		{"POST", allTokens, areaAccounts, createToken, accessAdmin},
		{"GET", allTokens + "/verify", areaAccounts, verifyToken, accessToken},
		{"DELETE", allTokens + "/{token}", areaAccounts, revokeToken, accessAdmin},

		{"GET", "accounts/{account}/workers/subdomain", areaScripts, getAccountSubdomain, accessToken},
		{"GET", "accounts/{account}/workers/scripts", areaScripts, listScripts, accessToken},
		{"GET", script, areaScripts, downloadScript, accessToken},
		{"PUT", script, areaScripts, uploadScript, accessToken},
		{"DELETE", script, areaScripts, deleteScript, accessToken},
		{"GET", script + "/settings", areaScripts, getSettings, accessToken},
		{"GET", script + "/subdomain", areaScripts, getSubdomain, accessToken},
		{"PUT", script + "/routes", areaScripts, setRoutes, accessToken},
		{"GET", script + "/secrets", areaScripts, listSecrets, accessToken},
		{"PUT", script + "/secrets", areaScripts, putSecret, accessToken},
		{"GET", script + "/secrets/{secret}", areaScripts, getSecret, accessToken},
		{"DELETE", script + "/secrets/{secret}", areaScripts, deleteSecret, accessToken},
		{"PATCH", script + "/secrets-bulk", areaScripts, patchSecrets, accessToken},
		{"GET", script + "/deployments", areaScripts, listDeployments, accessToken},
		{"GET", script + "/versions", areaScripts, listVersions, accessToken},
		{"GET", script + "/versions/{version}", areaScripts, getVersion, accessToken},

		{"GET", spaces, areaKV, listNamespaces, accessToken},
		{"POST", spaces, areaKV, createNamespace, accessToken},
		{"GET", space, areaKV, getNamespace, accessToken},
		{"PUT", space, areaKV, renameNamespace, accessToken},
		{"DELETE", space, areaKV, deleteNamespace, accessToken},
		{"GET", space + "/keys", areaKV, listKeys, accessToken},
		{"GET", space + "/values/{key...}", areaKV, getValue, accessToken},
		{"PUT", space + "/values/{key...}", areaKV, putValue, accessToken},
		{"DELETE", space + "/values/{key...}", areaKV, deleteValue, accessToken},
		{"GET", space + "/metadata/{key...}", areaKV, getMetadata, accessToken},
		{"PUT", space + "/bulk", areaKV, putBulk, accessToken},
		{"DELETE", space + "/bulk", areaKV, deleteBulk, accessToken},
		{"POST", space + "/bulk/delete", areaKV, deleteBulk, accessToken},
		{"POST", space + "/bulk/get", areaKV, getBulk, accessToken},
	}
}

// bodyTime is how long the body of a request to a route may take.
func (a *api) bodyTime(rt *route) time.Duration {
	if rt.method == http.MethodPut {
		return a.cfg.UploadTime
	}
	return 30 * time.Second
}

// find returns the route of a request. path is still encoded. An administrator
// may ask for an account that does not exist, which its handler reports.
func (r *request) find(path string) (*route, error) {
	segments := strings.Split(path, "/")
	var allowed []string
	for i := range r.api.routes {
		rt := &r.api.routes[i]
		params, ok := match(strings.Split(rt.path, "/"), segments)
		if !ok {
			continue
		}
		if rt.method == r.Method {
			r.params = params
			return rt, nil
		}
		allowed = append(allowed, rt.method)
		r.params = params // for authorize: a wrong method tells nothing about other accounts
	}
	if len(allowed) == 0 {
		return nil, noRoute(r.URL.Path)
	}
	if err := r.ownAccount(); err != nil {
		return nil, err
	}
	slices.Sort(allowed)
	return nil, wrongMethod(r, slices.Compact(allowed))
}

// match compares the segments of a path with those of a pattern.
func match(pattern, segments []string) (params map[string]string, ok bool) {
	params = map[string]string{}
	for i, want := range pattern {
		name, isParam := strings.CutPrefix(want, "{")
		name = strings.TrimSuffix(name, "}")
		if rest, isRest := strings.CutSuffix(name, "..."); isRest && i < len(segments) {
			text, err := url.PathUnescape(strings.Join(segments[i:], "/"))
			params[rest] = text
			return params, err == nil
		}
		if i >= len(segments) {
			return nil, false
		}
		text, err := url.PathUnescape(segments[i])
		if err != nil || isParam && text == "" || !isParam && text != want {
			return nil, false
		}
		if isParam {
			params[name] = text
		}
	}
	return params, len(pattern) == len(segments)
}
