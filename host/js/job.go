package js

import (
	"context"
	"sync/atomic"

	"github.com/mayfly-run/mayfly/host"
)

// job is an operation that goes on beside the guest, and once its task is done,
// what came of it.
type job struct {
	host.Task
	value    []byte
	metadata []byte
	absent   bool  // there is no value
	bytes    int64 // of a body were read
	passed   int64 // were passed on
	err      error

	call   *host.Call
	cancel context.CancelFunc
	held   int          // bytes; the task's until it is done
	ends   atomic.Int32 // of two: the task is done, the handle is closed
}

// Close cancels what is under way and lets go of the result.
func (j *job) Close() error {
	j.cancel()
	j.end()
	return nil
}

// end gives back what is held once nobody needs it.
func (j *job) end() {
	if j.ends.Add(1) == 2 {
		j.call.Release(j.held)
	}
}

// run works until the job is closed. The result is dropped if there is no room to
// hold it.
func (j *job) run(ctx context.Context, work func(ctx context.Context, j *job)) {
	defer j.end()
	defer j.cancel()
	work(ctx, j)
	if err := j.hold(len(j.value) + len(j.metadata) - j.held); err != nil {
		j.value, j.metadata, j.err = nil, nil, err
	}
}

// hold counts bytes of the result.
func (j *job) hold(n int) error {
	if err := j.call.Hold(n); err != nil {
		return err
	}
	j.held += n
	return nil
}

// starter is how a job begins: Call.StartInStore, or something like it.
type starter func(ctx context.Context, work func(ctx context.Context)) host.Task

// start begins a job and gives its handle, under which an event says that it is
// done.
func (q *query) start(begin starter, work func(ctx context.Context, j *job)) (kind, error) {
	if err := q.Handles.Room(); err != nil {
		return 0, err
	}
	j := &job{call: q.Call}
	ctx, cancel := context.WithCancel(q.Context())
	j.cancel = cancel
	j.Task = begin(ctx, func(ctx context.Context) { j.run(ctx, work) })
	return q.watch(j)
}

// watch opens a handle and has the loop of events wait for it.
func (q *query) watch(v host.Waitable) (kind, error) {
	h, err := q.Handles.Add(v)
	if err != nil {
		return 0, err
	}
	q.waiting = append(q.waiting, waiter{h, v})
	return integer(int(h)), nil
}

// handle is what the handle n names, if it is a T.
func handle[T any](q *query) (T, error) {
	v, err := host.Get[T](&q.Handles, host.Handle(q.n))
	if err != nil {
		return v, err
	}
	return v, nil
}

// finished is the job that the handle n names, which is done.
func finished(q *query) (*job, error) {
	j, err := handle[*job](q)
	if err != nil {
		return nil, err
	}
	if err := j.Wait(q.Call); err != nil {
		return nil, err
	}
	return j, j.err
}

// result gives the value of a job and closes it: as text if text is not empty, and
// null if there is none.
func result(q *query) (kind, error) {
	j, err := finished(q)
	if j != nil {
		q.Usage.BytesIn += j.bytes + j.passed
		q.Usage.BytesOut += j.passed
	}
	q.gone = q.gone || err == errGone
	defer closeHandle(q)
	switch {
	case err != nil:
		return 0, err
	case j.absent:
		return null, nil
	}
	j.passOn(q.state)
	if len(q.text) > 0 {
		return q.giveText(j.value)
	}
	return q.giveBytes(j.value)
}

// passOn has what is held for the value be held until the guest has taken it. The
// task is done.
func (j *job) passOn(s *state) {
	n := min(j.held, len(j.value))
	j.held -= n
	s.counted += n
}

func closeHandle(q *query) (kind, error) {
	h := host.Handle(q.n)
	for i, w := range q.waiting {
		if w.handle == h {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			break
		}
	}
	return noValue, q.Handles.Close(h)
}
