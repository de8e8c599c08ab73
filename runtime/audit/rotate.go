package audit

import (
	"errors"
	"fmt"
	"os"
)

// retryRotation is how much is written after a failure before it is tried again, in
// bytes.
const retryRotation = 1 << 20

// rotate begins another file where this one is full. A failure is no reason not to
// record: then this file goes on. It needs mu.
func (l *Log) rotate() {
	if l.cfg.MaxSize == 0 || l.size < l.full {
		return
	}
	if err := l.nextFile(); err != nil {
		l.cfg.Logger.Warn("another file of the audit log can't be begun; this one goes on", "file", l.cfg.Path, "err", err)
		l.full = l.size + retryRotation
	}
}

// nextFile gives the file its number and takes a new one. Between the two there is
// none of the name; Open goes on behind the last number then.
func (l *Log) nextFile() error {
	numbers, err := rotated(l.cfg.Path)
	if err != nil {
		return err
	}
	last := 0
	if len(numbers) > 0 {
		last = numbers[len(numbers)-1]
	}
	next := l.cfg.Path + ".next"
	f, err := os.OpenFile(next, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = l.file.Truncate(l.size) // gives back what was reserved
	if err == nil {
		err = os.Rename(l.cfg.Path, number(l.cfg.Path, last+1))
	}
	if err == nil {
		err = os.Rename(next, l.cfg.Path)
	}
	l.reserved = 0
	if err != nil {
		return errors.Join(err, f.Close())
	}
	old := l.file
	l.file, l.size, l.full = osFile{f}, 0, l.cfg.MaxSize
	return errors.Join(old.Close(), syncFolder(l.cfg.Path))
}

// lastRotated is the end of the file before the one that is written; nothing if
// there is none.
func lastRotated(path string) (t tail, err error) {
	numbers, err := rotated(path)
	if err != nil || len(numbers) == 0 {
		return t, err
	}
	file := number(path, numbers[len(numbers)-1])
	f, err := os.Open(file)
	if err != nil {
		return t, err
	}
	defer f.Close()
	if t, err = readTail(f); err == nil && (t.good == 0 || t.torn > 0) {
		err = errors.New("it ends in the middle of a line")
	}
	if err != nil {
		return t, fmt.Errorf("%s, after which it goes on: %w", file, err)
	}
	return t, nil
}
