package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

const claimRecords = "node/cron-claims/" // <account>/<function>/<minute>/<cron>: <node>/<start of it>; its metadata is a cronClaim

// claimLife is how long it is remembered who has run what.
const claimLife = time.Hour

// cronClaim is who answers for an event, and what is to be recorded if nothing else is.
type cronClaim struct {
	Start string `json:"start"` // of the process
	Run
}

// claimsOf begins the records of all claims of a Function.
func claimsOf(f deploy.Function) string { return claimRecords + f.Account + "/" + f.Name + "/" }

func claimRecord(f deploy.Function, run Run) string {
	return claimsOf(f) + strconv.FormatInt(run.Due.Unix()/60, 10) + "/" + run.Cron
}

// claim says whether this node is the one that answers for an event. It is also if an
// earlier claim seemed to fail, and was written nevertheless: that is gone on with.
func (c *Cron) claim(ctx context.Context, f deploy.Function, run *Run) (mine bool, err error) {
	key, own := claimRecord(f, *run), c.cfg.Node+"/"+c.start
	beside, err := json.Marshal(cronClaim{c.start, *run})
	if err != nil {
		return false, fmt.Errorf("claim event: %w", err)
	}
	_, err = c.cfg.Store.Put(ctx, key, []byte(own), kv.PutOptions{Metadata: beside, If: kv.IfRevision(0), Expires: time.Now().Add(claimLife)})
	mine = err == nil
	if errors.Is(err, kv.ErrConflict) {
		if _, unsure := c.unsure[key]; !unsure {
			return false, nil
		}
		mine, err = c.claimed(ctx, key, own, run)
	}
	if err != nil {
		c.unsure[key] = time.Now()
		return false, fmt.Errorf("claim event: %w", err)
	}
	delete(c.unsure, key)
	return mine, nil
}

// claimed reads a claim that there is already.
func (c *Cron) claimed(ctx context.Context, key, own string, run *Run) (mine bool, err error) {
	e, err := kv.GetStrong(ctx, c.cfg.Store, key)
	if err != nil || string(e.Value) != own {
		return false, err
	}
	var before cronClaim
	if err := json.Unmarshal(e.Metadata, &before); err != nil {
		return false, err
	}
	run.Identity = before.Identity
	return true, nil
}
