package kvtest

import (
	"errors"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

const year = 365 * 24 * time.Hour

// testClockJumps sets the clock a year ahead and back. What does not expire is not
// touched, what does is there or not, as the clock says, and never another value.
func testClockJumps(t *testing.T, f *fixture) {
	never := f.mustPut(t, "never", "n", kv.PutOptions{})
	expires := f.clock.Now().Add(time.Hour)
	hour := f.mustPut(t, "hour", "h", kv.PutOptions{Expires: expires})
	f.mustPut(t, "taken", "old", kv.PutOptions{Expires: expires})

	f.clock.advance(year)
	wantKeys(t, f.mustList(t, kv.ListOptions{}), "never")
	_, err := f.Get(t.Context(), "hour")
	wantErr(t, "Get with the clock ahead", err, kv.ErrNotFound)
	taken := f.mustPut(t, "taken", "new", kv.PutOptions{If: kv.IfRevision(0)})
	if taken <= hour {
		t.Errorf("got revision %d after %d", taken, hour)
	}

	f.clock.advance(-year)
	wantEntry(t, f.mustGet(t, "never"), kv.Entry{Key: "never", Value: []byte("n"), Revision: never})
	wantEntry(t, f.mustGet(t, "taken"), kv.Entry{Key: "taken", Value: []byte("new"), Revision: taken})
	if e, err := f.Get(t.Context(), "hour"); err == nil { // it may have been cleaned up
		wantEntry(t, e, kv.Entry{Key: "hour", Value: []byte("h"), Revision: hour, Expires: time.UnixMilli(expires.UnixMilli())})
	} else if !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("Get with the clock right again: %v", err)
	}

	// An expiry is a time: with the clock behind it comes so much later.
	short := f.mustPut(t, "short", "s", kv.PutOptions{Expires: f.clock.Now().Add(time.Second)})
	f.clock.advance(-year)
	if e := f.mustGet(t, "short"); e.Revision != short {
		t.Errorf("with the clock behind: got revision %d, want %d", e.Revision, short)
	}
	if late := f.mustPut(t, "late", "l", kv.PutOptions{}); late <= short {
		t.Errorf("with the clock behind: got revision %d after %d", late, short)
	}
	f.clock.advance(year + time.Second)
	_, err = f.Get(t.Context(), "short")
	wantErr(t, "Get of what has expired by now", err, kv.ErrNotFound)
}
