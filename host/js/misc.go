package js

import (
	"io"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

var miscOps = []operation{
	{"opLog", logText},
	{"opSecrets", secrets},
	{"opRandom", randomBytes},
	{"opClock", clock},
}

// logText writes text to the log; n is the level.
func logText(q *query) (kind, error) {
	q.Work(host.LogWeight * int64(len(q.text)))
	q.Log(host.LogLevel(max(0, min(q.n, int32(host.LogError)))), q.text)
	return noValue, nil
}

// secrets gives the names, types and values of what is there in requests only, each
// ended by NUL.
func secrets(q *query) (kind, error) {
	var out []byte
	for _, name := range q.Bindings.Secrets {
		v := q.Bindings.Env[name]
		out = append(append(out, name...), 0)
		out = append(append(out, varType(v)...), 0)
		out = append(append(out, v.Value...), 0)
	}
	return q.give(string(out))
}

// maxRandom is how many bytes crypto.getRandomValues gives.
const maxRandom = 65536

// randomBytes gives n random bytes.
func randomBytes(q *query) (kind, error) {
	if q.n < 0 || q.n > maxRandom {
		return 0, host.Errorf(host.CodeInvalid, "at most %d random bytes are given at a time", maxRandom)
	}
	q.Work(host.RandomWeight * int64(q.n))
	b := make([]byte, q.n)
	if _, err := io.ReadFull(q.Services.Random, b); err != nil {
		return 0, err
	}
	return q.giveBytes(b)
}

// clock gives the microseconds since the Invocation began.
func clock(q *query) (kind, error) {
	elapsed := q.Elapsed()
	return integer(int(q.Services.Coarse(int64(elapsed)) / int64(time.Microsecond))), nil
}
