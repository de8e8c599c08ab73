package control

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/runtime/deploy"
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
	areaQueues
	areaMessages
)

// access is what a token needs for a route: one of the scopes. The route's
// account has to be the token's, unless that is for administrators, who may do
// everything.
type access deploy.Scopes

const (
	accessAny    access = 0 // every token
	accessRead          = access(deploy.ScopeRead)
	accessDeploy        = access(deploy.ScopeDeploy)
	accessKV            = access(deploy.ScopeKV)
	accessQueues        = access(deploy.ScopeQueues)
	accessOwner         = access(deploy.ScopeAdmin)
	accessNode   access = 1 << 7 // no scope is enough
)

const (
	script     = "accounts/{account}/workers/scripts/{script}"
	spaces     = "accounts/{account}/storage/kv/namespaces"
	space      = spaces + "/{namespace}"
	allQueues  = "accounts/{account}/queues"
	oneQueue   = allQueues + "/{queue}"
	oneAcct    = "accounts/{account}"
	allTokens  = "accounts/{account}/tokens"
	allDomains = "accounts/{account}/workers/domains"
	oneToken   = allTokens + "/{token}"

	backupPath      = "mayfly/backup"
	nodesPath       = "mayfly/nodes"
	assetUploadPath = "accounts/{account}/workers/assets/upload"
)

func (a *api) table() []route {
	return []route{
		{"GET", "user", areaAccounts, getUser, accessAny},
		{"GET", "memberships", areaAccounts, listMemberships, accessAny},
		{"GET", "user/tokens/verify", areaAccounts, verifyToken, accessAny},
		{"GET", "user/tokens", areaAccounts, listTokens, accessNode},
		{"POST", "user/tokens", areaAccounts, createToken, accessNode},
		{"GET", "user/tokens/permission_groups", areaAccounts, listPermissionGroups, accessAny},
		{"GET", "user/tokens/{token}", areaAccounts, getToken, accessNode},
		{"PUT", "user/tokens/{token}", areaAccounts, changeToken, accessNode},
		{"DELETE", "user/tokens/{token}", areaAccounts, revokeToken, accessNode},

		{"GET", backupPath, areaAccounts, downloadBackup, accessNode},
		{"PUT", backupPath, areaAccounts, uploadBackup, accessNode},
		{"GET", nodesPath, areaAccounts, listNodes, accessNode},
		{"DELETE", nodesPath + "/{node}", areaAccounts, removeNode, accessNode},
		{"POST", nodesPath + "/{node}/drain", areaAccounts, drainNode, accessNode},
		{"POST", nodesPath + "/{node}/resume", areaAccounts, resumeNode, accessNode},

		{"GET", "accounts", areaAccounts, listAccounts, accessAny},
		{"POST", "accounts", areaAccounts, createAccount, accessNode},
		{"GET", oneAcct, areaAccounts, getAccount, accessAny},
		{"PUT", oneAcct, areaAccounts, updateAccount, accessNode},
		{"DELETE", oneAcct, areaAccounts, deleteAccount, accessNode},
		{"GET", "accounts/{account}/usage", areaAccounts, getUsage, accessRead},
		{"GET", allTokens, areaAccounts, listTokens, accessOwner},
		{"POST", allTokens, areaAccounts, createToken, accessOwner},
		{"GET", allTokens + "/verify", areaAccounts, verifyToken, accessAny},
		{"GET", allTokens + "/permission_groups", areaAccounts, listPermissionGroups, accessAny},
		{"GET", oneToken, areaAccounts, getToken, accessOwner},
		{"PUT", oneToken, areaAccounts, changeToken, accessOwner},
		{"DELETE", oneToken, areaAccounts, revokeToken, accessOwner},

		{"GET", "accounts/{account}/workers/subdomain", areaScripts, getAccountSubdomain, accessRead},
		{"GET", "accounts/{account}/workers/scripts", areaScripts, listScripts, accessRead},
		{"GET", script, areaScripts, downloadScript, accessRead},
		{"PUT", script, areaScripts, uploadScript, accessDeploy},
		{"DELETE", script, areaScripts, deleteScript, accessDeploy},
		{"GET", script + "/references", areaScripts, getReferences, accessRead},
		{"GET", script + "/settings", areaScripts, getSettings, accessRead},
		{"PATCH", script + "/settings", areaScripts, patchSettings, accessDeploy},
		{"GET", script + "/script-settings", areaScripts, getScriptSettings, accessRead},
		{"PATCH", script + "/script-settings", areaScripts, patchScriptSettings, accessDeploy},
		{"GET", script + "/content/v2", areaScripts, downloadContent, accessRead},
		{"GET", script + "/subdomain", areaScripts, getSubdomain, accessRead},
		{"POST", script + "/subdomain", areaScripts, setSubdomain, accessDeploy},
		{"GET", script + "/routes", areaScripts, getRoutes, accessRead},
		{"PUT", script + "/routes", areaScripts, setRoutes, accessDeploy},
		{"POST", script + "/routes", areaScripts, addRoutes, accessDeploy},
		{"DELETE", script + "/routes/{route}", areaScripts, removeRoute, accessDeploy},
		{"POST", script + "/domains/changeset", areaScripts, planDomains, accessDeploy},
		{"PUT", script + "/domains/records", areaScripts, putDomainRecords, accessDeploy},
		{"GET", "accounts/{account}/workers/routes", areaScripts, listRoutes, accessRead},
		{"GET", "zones", areaScripts, listZones, accessRead},
		{"GET", "zones/{zone}/workers/routes", areaScripts, listZoneRoutes, accessRead},
		{"GET", allDomains, areaScripts, listDomains, accessRead},
		{"PUT", allDomains, areaScripts, putDomain, accessDeploy},
		{"GET", allDomains + "/{domain}", areaScripts, getDomain, accessRead},
		{"DELETE", allDomains + "/{domain}", areaScripts, deleteDomain, accessDeploy},
		{"GET", allDomains + "/records/{domain}", areaScripts, getDomain, accessRead},
		{"GET", script + "/secrets", areaScripts, listSecrets, accessRead},
		{"PUT", script + "/secrets", areaScripts, putSecret, accessDeploy},
		{"GET", script + "/secrets/{secret}", areaScripts, getSecret, accessRead},
		{"DELETE", script + "/secrets/{secret}", areaScripts, deleteSecret, accessDeploy},
		{"PATCH", script + "/secrets-bulk", areaScripts, patchSecrets, accessDeploy},
		{"GET", script + "/schedules", areaScripts, getSchedules, accessRead},
		{"PUT", script + "/schedules", areaScripts, putSchedules, accessDeploy},
		{"GET", script + "/schedules/runs", areaScripts, listRuns, accessRead},
		{"POST", script + "/schedules/runs", areaScripts, runSchedule, accessDeploy},
		{"GET", script + "/kv-triggers", areaScripts, getKVTriggers, accessRead},
		{"PUT", script + "/kv-triggers", areaScripts, putKVTriggers, accessDeploy},
		{"POST", script + "/invoke", areaScripts, invoke, accessDeploy},
		{"GET", script + "/invoke-config", areaScripts, getInvokeConfig, accessRead},
		{"PUT", script + "/invoke-config", areaScripts, putInvokeConfig, accessDeploy},
		{"GET", script + "/tails", areaScripts, listTails, accessRead},
		{"POST", script + "/tails", areaScripts, createTail, accessRead},
		{"DELETE", script + "/tails/{tail}", areaScripts, deleteTail, accessRead},
		{"GET", script + "/errors", areaScripts, listErrors, accessRead},
		{"GET", script + "/deployments", areaScripts, listDeployments, accessRead},
		{"POST", script + "/deployments", areaScripts, createDeployment, accessDeploy},
		{"GET", script + "/deployments/{deployment}", areaScripts, getDeployment, accessRead},
		{"GET", script + "/versions", areaScripts, listVersions, accessRead},
		{"POST", script + "/versions", areaScripts, uploadVersion, accessDeploy},
		{"POST", script + "/versions/prune", areaScripts, pruneVersions, accessDeploy},
		{"GET", script + "/versions/{version}", areaScripts, getVersion, accessRead},
		{"GET", script + "/versions/{version}/diff/{other}", areaScripts, diffVersions, accessRead},
		{"POST", script + "/assets-upload-session", areaScripts, beginAssets, accessDeploy},
		{"POST", assetUploadPath, areaScripts, uploadAssets, accessDeploy},
		{"GET", "accounts/{account}/workers/tails/by-consumer/{script}", areaScripts, listTailProducers, accessRead},
		{"GET", "accounts/{account}/workers/services/{script}", areaScripts, getService, accessRead},
		{"DELETE", "accounts/{account}/workers/services/{script}", areaScripts, deleteScript, accessDeploy},

		{"GET", spaces, areaKV, listNamespaces, accessRead | accessKV},
		{"POST", spaces, areaKV, createNamespace, accessDeploy | accessKV},
		{"GET", space, areaKV, getNamespace, accessRead | accessKV},
		{"PUT", space, areaKV, renameNamespace, accessKV},
		{"DELETE", space, areaKV, deleteNamespace, accessKV},
		{"GET", space + "/keys", areaKV, listKeys, accessKV},
		{"GET", space + "/values/{key...}", areaKV, getValue, accessKV},
		{"PUT", space + "/values/{key...}", areaKV, putValue, accessKV},
		{"DELETE", space + "/values/{key...}", areaKV, deleteValue, accessKV},
		{"GET", space + "/metadata/{key...}", areaKV, getMetadata, accessKV},
		{"PUT", space + "/bulk", areaKV, putBulk, accessKV},
		{"DELETE", space + "/bulk", areaKV, deleteBulk, accessKV},
		{"POST", space + "/bulk/delete", areaKV, deleteBulk, accessKV},
		{"POST", space + "/bulk/get", areaKV, getBulk, accessKV},

		{"GET", allQueues, areaQueues, listQueues, accessRead | accessQueues},
		{"POST", allQueues, areaQueues, createQueue, accessDeploy | accessQueues},
		{"GET", oneQueue, areaQueues, getQueue, accessRead | accessQueues},
		{"PUT", oneQueue, areaQueues, changeQueue, accessQueues},
		{"PATCH", oneQueue, areaQueues, changeQueue, accessQueues},
		{"DELETE", oneQueue, areaQueues, deleteQueue, accessQueues},
		{"GET", oneQueue + "/metrics", areaQueues, getQueueMetrics, accessRead | accessQueues},
		{"GET", oneQueue + "/purge", areaQueues, getPurge, accessQueues},
		{"POST", oneQueue + "/purge", areaQueues, purgeQueue, accessQueues},
		{"GET", oneQueue + "/consumers", areaQueues, listConsumers, accessRead | accessQueues},
		{"POST", oneQueue + "/consumers", areaQueues, createConsumer, accessDeploy | accessQueues},
		{"GET", oneQueue + "/consumers/{consumer}", areaQueues, getConsumer, accessRead | accessQueues},
		{"PUT", oneQueue + "/consumers/{consumer}", areaQueues, changeConsumer, accessDeploy | accessQueues},
		{"DELETE", oneQueue + "/consumers/{consumer}", areaQueues, deleteConsumer, accessDeploy | accessQueues},
		{"POST", oneQueue + "/messages", areaMessages, pushMessage, accessQueues},
		{"POST", oneQueue + "/messages/batch", areaMessages, pushMessages, accessQueues},
		{"POST", oneQueue + "/messages/pull", areaMessages, pullMessages, accessQueues},
		{"POST", oneQueue + "/messages/ack", areaMessages, ackMessages, accessQueues},
	}
}

// bodyTime is how long the body of a request to a route may take.
func (a *api) bodyTime(rt *route) time.Duration {
	if rt.method == http.MethodPut || strings.HasSuffix(rt.path, "/versions") || rt.path == assetUploadPath {
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
