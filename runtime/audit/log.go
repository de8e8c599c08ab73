package audit

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host/secret"
	"golang.org/x/time/rate"
)

// How many refusals are recorded, so that nobody fills the disk with them: as many
// at once as the burst, then one in each interval. Those of strangers don't take
// the place of those of known tokens.
const (
	strangerBurst    = 60
	strangerInterval = 10 * time.Second
	knownBurst       = 300
	knownInterval    = time.Second
)

// maxPending bounds how many entries wait for a disk that takes no more.
const maxPending = 1000

// Config of a Log. Path is required.
type Config struct {
	Path string
	// Key signs each entry; a zero one signs none. MaxSize is the size from which on
	// another file is begun, in bytes; 0 is never.
	Key     secret.Key
	MaxSize int64
	Now     func() time.Time // default: time.Now
	Logger  *slog.Logger     // default: discard
}

// Log is a log that is being written. It is safe for concurrent use; one Log
// writes a file at a time.
type Log struct {
	cfg              Config
	strangers, known *rate.Limiter

	mu       sync.Mutex // guards what follows
	file     file
	size     int64 // of all complete lines
	reserved int64 // up to where the file has room on the disk
	full     int64 // the size at which another file is begun
	seq      uint64
	prev     string
	skipped  int
	failed   error   // of the last write
	pending  []Entry // that could not be written
}

// file is what a Log needs of an *os.File that is open for appending.
type file interface {
	io.Writer
	io.Closer
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
	Reserve(from, size int64) error // makes room that Size does not count
}

// Open continues a log, or begins one. A line that the end of the process cut is
// removed, which gets an entry of its own. A log whose last line was changed is
// not continued.
func Open(cfg Config) (*Log, error) {
	f, err := os.OpenFile(cfg.Path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l := newLog(cfg, osFile{f})
	if err := l.resume(f); err != nil {
		return nil, errors.Join(fmt.Errorf("open audit log %s: %w", cfg.Path, err), f.Close())
	}
	return l, nil
}

func newLog(cfg Config, f file) *Log {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Log{cfg: cfg, file: f, full: cfg.MaxSize,
		strangers: rate.NewLimiter(rate.Every(strangerInterval), strangerBurst),
		known:     rate.NewLimiter(rate.Every(knownInterval), knownBurst)}
}

// resume finds out where the log goes on.
func (l *Log) resume(f *os.File) error {
	t, err := readTail(f)
	if err != nil {
		return err
	}
	l.size = t.good
	before := t
	if l.size == 0 {
		if before, err = lastRotated(l.cfg.Path); err != nil {
			return err
		}
	}
	if before.good == 0 {
		l.prev = random()
	} else {
		l.seq, l.prev = before.last.Seq+1, digest(before.line)
	}
	switch {
	case t.torn > 0:
		l.cfg.Logger.Warn("the last line of the audit log was not complete and is removed", "file", l.cfg.Path, "bytes", t.torn)
		if err := f.Truncate(t.good); err != nil {
			return err
		}
		return l.write(Entry{Action: "recover log", Target: map[string]string{"removed_bytes": strconv.FormatInt(t.torn, 10)}})
	case t.good == 0 && before.good > 0:
		return syncFolder(l.cfg.Path)
	case t.good == 0:
		return errors.Join(l.write(Entry{Action: "begin log"}), syncFolder(l.cfg.Path))
	}
	return nil
}

func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Ready reports whether an entry can be written. Whoever is about to change
// something asks before. After an error of the disk, it tries to mend the log.
func (l *Log) Ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready()
}

// Append writes an entry. When it returns nil, the entry is on disk.
func (l *Log) Append(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.ready()
	if err == nil {
		err = l.write(e)
	}
	if err != nil && len(l.pending) < maxPending {
		e.Time = l.cfg.Now()
		l.pending = append(l.pending, e)
	}
	return err
}

// Refused is Append for what was refused; of too many it only counts how many
// there were. known says whether it was a known token that was refused.
func (l *Log) Refused(e Entry, known bool) error {
	limiter := l.strangers
	if known {
		limiter = l.known
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !limiter.AllowN(l.cfg.Now(), 1) {
		l.skipped++
		return nil
	}
	if err := l.ready(); err != nil {
		l.skipped++
		return err
	}
	return l.write(e)
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// reserve is how much room on the disk a Log keeps for what is under way.
const reserve = 256 << 10

// ready needs mu.
func (l *Log) ready() error {
	if err := l.mend(); err != nil {
		return fmt.Errorf("mend audit log: %w", err)
	}
	size, err := l.file.Size()
	if err != nil {
		return err
	}
	if size != l.size {
		return fmt.Errorf("audit log %s has %d bytes instead of %d: something else has written to it; move it away and start the node again", l.cfg.Path, size, l.size)
	}
	l.rotate()
	if l.reserved-l.size < reserve/2 {
		if err := l.file.Reserve(l.size, reserve); err != nil {
			return fmt.Errorf("make room for audit log: %w", err)
		}
		l.reserved = l.size + reserve
	}
	for len(l.pending) > 0 {
		if err := l.write(l.pending[0]); err != nil {
			return err
		}
		l.pending = l.pending[1:]
	}
	return nil
}

// mend removes what a failed write left. It needs mu.
func (l *Log) mend() error {
	if l.failed == nil {
		return nil
	}
	if err := l.file.Truncate(l.size); err != nil {
		return err
	}
	cause := l.failed
	l.failed, l.reserved = nil, 0 // truncating has given back what was reserved
	return l.write(Entry{Action: "recover log", Target: map[string]string{"cause": cause.Error()}})
}

// write needs mu.
func (l *Log) write(e Entry) error {
	e = e.clip()
	if e.Time.IsZero() {
		e.Time = l.cfg.Now()
	}
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	e.Seq, e.Prev, e.Skipped = l.seq, l.prev, l.skipped
	line := e.encode(l.cfg.Key)
	_, err := l.file.Write(append(line, '\n'))
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		l.failed = err
		return fmt.Errorf("write audit log: %w", err)
	}
	l.size += int64(len(line)) + 1
	l.seq, l.prev, l.skipped = l.seq+1, digest(line), 0
	return nil
}
