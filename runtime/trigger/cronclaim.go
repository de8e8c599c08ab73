package trigger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

const claimRecords = "node/cron-claims/" // <account>/<function>/<minute>/<cron>: <node>/<start of it>

// claimLife is how long it is remembered who has run what.
const claimLife = time.Hour

func claimRecord(f deploy.Function, s deploy.Schedule, due time.Time) string {
	return claimRecords + f.Account + "/" + f.Name + "/" + strconv.FormatInt(due.Unix()/60, 10) + "/" + s.Cron
}

// claim says whether this node is the one that answers for an event. It is also if an
// earlier claim seemed to fail, and was written nevertheless.
func (c *Cron) claim(ctx context.Context, f deploy.Function, s deploy.Schedule, due time.Time) (mine bool, err error) {
	key, own := claimRecord(f, s, due), c.cfg.Node+"/"+c.start
	_, err = c.cfg.Store.Put(ctx, key, []byte(own), kv.PutOptions{If: kv.IfRevision(0), Expires: time.Now().Add(claimLife)})
	mine = err == nil
	if errors.Is(err, kv.ErrConflict) {
		if _, unsure := c.unsure[key]; !unsure {
			return false, nil
		}
		var e kv.Entry
		e, err = kv.GetStrong(ctx, c.cfg.Store, key)
		mine = string(e.Value) == own
	}
	if err != nil {
		c.unsure[key] = time.Now()
		return false, fmt.Errorf("claim event: %w", err)
	}
	delete(c.unsure, key)
	return mine, nil
}
