// Package progress shows on a terminal that something is still going on.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	patience = time.Second            // what ends sooner shows nothing
	interval = 200 * time.Millisecond // between two states of the line
)

const clearLine = "\r\x1b[K" // the terminal's line

// Line is one line of a terminal that is overwritten until Done.
type Line struct {
	w     io.Writer
	label string
	start time.Time
	stop  chan struct{}
	ended sync.WaitGroup

	mu     sync.Mutex // guards detail, shown and writing to the terminal
	detail string
	shown  bool
}

// Start shows label, with the time passed, once that is more than a second. A
// nil w shows nothing; so does a nil Line.
func Start(w io.Writer, label string) *Line {
	if w == nil {
		return nil
	}
	l := &Line{w: w, label: label, start: time.Now(), stop: make(chan struct{})}
	l.ended.Go(l.run)
	return l
}

func (l *Line) run() {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	for {
		select {
		case <-l.stop:
			l.hide()
			return
		case <-wait.C:
			l.show()
			wait.Reset(interval)
		}
	}
}

func (l *Line) show() {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("%s… %ds", l.label, int(time.Since(l.start).Seconds()))
	if l.detail != "" {
		text += ", " + l.detail
	}
	fmt.Fprint(l.w, clearLine, text)
	l.shown = true
}

func (l *Line) hide() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
}

// erase removes the line; mu is held.
func (l *Line) erase() {
	if l.shown {
		fmt.Fprint(l.w, clearLine)
		l.shown = false
	}
}

// Above writes whole lines of other output to w, which may be the same
// terminal. It is safe for concurrent use.
func (l *Line) Above(w io.Writer, p []byte) (int, error) {
	if l == nil {
		return w.Write(p)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	return w.Write(p)
}

// Set changes what is shown after the time. It is safe for concurrent use.
func (l *Line) Set(format string, args ...any) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detail = fmt.Sprintf(format, args...)
}

// Done removes the line.
func (l *Line) Done() {
	if l == nil {
		return
	}
	close(l.stop)
	l.ended.Wait()
}
