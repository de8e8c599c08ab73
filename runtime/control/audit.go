package control

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/mayfly-run/mayfly/runtime/audit"
)

// changes reports whether a route changes something, or hands out everything. What
// does is recorded. Messages of queues are traffic, as requests to Functions are.
func (rt *route) changes() bool {
	if strings.HasPrefix(rt.path, oneQueue+"/messages") {
		return false
	}
	return rt.method != http.MethodGet && !strings.HasSuffix(rt.path, "/bulk/get") || rt.path == backupPath
}

// mayChange refuses changes while they can't be recorded.
func (r *request) mayChange() error {
	if r.api.cfg.Audit == nil {
		return nil
	}
	if err := r.api.cfg.Audit.Ready(); err != nil {
		return r.unrecordable(err, "so nothing is changed")
	}
	return nil
}

// unrecordable is the failure for an audit log that takes no entries.
func (r *request) unrecordable(err error, so string) error {
	r.api.cfg.Logger.Error("the audit log can't be written, and changes are refused until it can", "request", r.id, "err", err)
	f := &failure{http.StatusInternalServerError, 10500, fmt.Sprintf("the audit log can't be written, %s; the node's log has the details of request %s", so, r.id)}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		f.status, f.code = http.StatusInsufficientStorage, 10000+http.StatusInsufficientStorage
		f.msg += ". There is no space on the volume of its data directory: free some, and try again"
	}
	return f
}

// note adds to what the audit log says about the target of a change: names and
// ids, never values.
func (r *request) note(name, text string) {
	if r.target == nil {
		r.target = map[string]string{}
	}
	r.target[name] = text
}

// record writes what was done, or refused, before it is answered.
func (r *request) record(status int) error {
	log := r.api.cfg.Audit
	if log == nil || r.recorded {
		return nil
	}
	r.recorded = true
	known := r.token.ID != ""
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusTooManyRequests && !known, r.change != nil && status >= 400 && status < 500:
		if err := log.Refused(r.entry(status), known); err != nil {
			r.api.cfg.Logger.Error("record refusal", "request", r.id, "err", err)
		}
	case r.change != nil:
		if err := log.Append(r.entry(status)); err != nil {
			return r.unrecordable(err, "and so it is not recorded that this was carried out")
		}
	}
	return nil
}

func (r *request) entry(status int) audit.Entry {
	e := audit.Entry{
		Action: r.Method + " " + r.URL.Path, Request: r.id, Token: r.token.ID, TokenName: r.token.Name,
		Account: r.account(), Target: map[string]string{}, Status: status, Remote: r.RemoteAddr,
	}
	if r.change != nil {
		e.Action = r.change.method + " " + r.change.path
	}
	for _, all := range []map[string]string{r.params, r.target} {
		for name, text := range all {
			e.Target[name] = text
		}
	}
	delete(e.Target, "account")
	return e
}
