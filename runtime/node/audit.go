package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/audit"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// openAudit opens the log of changes and records that the node starts.
func (n *Node) openAudit() (*audit.Log, error) {
	key, err := keyPlace{"mayfly.audit", "MAYFLY_AUDIT_KEY", n.cfg.AuditKeyFile}.read()
	if err != nil {
		return nil, err
	}
	log, err := audit.Open(audit.Config{Path: n.dir().AuditLog(), Key: key, MaxSize: n.cfg.AuditMaxSize, Logger: n.cfg.Logger})
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, log.Close)
	return log, log.Append(audit.Entry{Action: "start node", Target: map[string]string{"version": n.cfg.Version}})
}

// ensureAdminToken makes the admin token if it is missing, and records that.
func (n *Node) ensureAdminToken(ctx context.Context, log *audit.Log) error {
	before, err := n.registry.Tokens("")
	if err != nil {
		return err
	}
	err = n.registry.EnsureAdminToken(ctx, n.dir().AdminToken())
	if errors.Is(err, kv.ErrUnavailable) { // it serves all the same
		n.cfg.Logger.Warn("the cluster can't be reached, and so there is no new admin token: start the node again once it can", "err", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("write admin token: %w", err)
	}
	after, err := n.registry.Tokens("")
	if err != nil {
		return err
	}
	for _, change := range []struct {
		action   string
		from, to []deploy.Token
	}{{"make admin token", before, after}, {"revoke admin token", after, before}} {
		for _, t := range added(change.from, change.to) {
			if err := log.Append(audit.Entry{Action: change.action, Target: map[string]string{"token": t.ID, "token_name": t.Name}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// added are the tokens of to that from has not.
func added(from, to []deploy.Token) (list []deploy.Token) {
	had := map[string]bool{}
	for _, t := range from {
		had[t.ID] = true
	}
	for _, t := range to {
		if !had[t.ID] {
			list = append(list, t)
		}
	}
	return list
}
