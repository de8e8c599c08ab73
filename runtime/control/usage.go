package control

import (
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// getUsage tells what the account used.
func getUsage(r *request) error {
	if _, err := r.api.registry.Account(r.account()); err != nil {
		return err
	}
	if r.api.cfg.Ledger == nil {
		return host.Errorf(host.CodeUnsupported, "this node does not keep what is used")
	}
	now := r.api.cfg.Now().UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	soon := now.Add(1) // so that an hour that begins now is among them
	q := telemetry.UsageQuery{Account: r.account(), From: month, To: soon, Group: []string{"function"}}
	for name, at := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if err := r.queryTime(name, at); err != nil {
			return err
		}
	}
	if text := r.URL.Query().Get("group"); text != "" {
		q.Group = strings.Split(text, ",")
	}
	if err := q.Check(); err != nil {
		return badRequest("%v", err)
	}
	report, err := r.api.cfg.Ledger.Query(r.Context(), q)
	if err != nil {
		return err
	}
	return r.ok(report)
}

// queryTime reads a time as RFC 3339 has it, or a day in UTC, which is the first or
// the last.
func (r *request) queryTime(name string, at *time.Time) error {
	text := r.URL.Query().Get(name)
	if text == "" {
		return nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		*at = t
		return nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		if *at = t; name == "to" {
			*at = t.AddDate(0, 0, 1)
		}
		return nil
	}
	return badRequest("%s is %q; a day such as 2031-05-06 is expected, or a time such as 2031-05-06T07:00:00Z", name, text)
}
