package control

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// retryChange is when a change that was refused may be tried again.
const retryChange = 10 * time.Second

// relies reports whether a route needs a token that is known to be good still: those
// that change something or run a Function, and those that send or take messages. Not
// among them are tails, which show, and the backup, which may be all that is left;
// both are reads. Of writes to keys the store decides: it takes those that wait for the
// cluster, where the operator wants that.
func (rt *route) relies() bool {
	switch {
	case rt.path == backupPath:
		return rt.method != http.MethodGet
	case strings.HasPrefix(rt.path, script+"/tails"), strings.HasPrefix(rt.path, space+"/values/"), strings.HasPrefix(rt.path, space+"/bulk"):
		return false
	}
	return rt.changes() || rt.method != http.MethodGet && strings.HasPrefix(rt.path, oneQueue+"/messages")
}

// mayRelyOnToken refuses what needs a token that is good for certain while the node
// can't know that.
func (r *request) mayRelyOnToken(rt *route) error {
	if !rt.relies() {
		return nil
	}
	err := r.api.cfg.Changes()
	if err != nil {
		r.reply.Header().Set("Retry-After", strconv.Itoa(int(retryChange/time.Second)))
	}
	return err
}
