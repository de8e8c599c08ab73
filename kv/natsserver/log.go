package natsserver

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// logger gives the server's lines to the node's log. What it only notices is of
// use to those who look for a fault.
type logger struct {
	log *slog.Logger

	mu  sync.Mutex // guards err
	err error      // the first that ended the start
}

var _ server.Logger = (*logger)(nil)

func (l *logger) Noticef(format string, args ...any) {
	l.log.Debug("NATS: " + fmt.Sprintf(format, args...))
}

// plaintext is what the server says of its secret, which is in this process's memory.
const plaintext = "Plaintext passwords detected"

func (l *logger) Warnf(format string, args ...any) {
	if !strings.HasPrefix(format, plaintext) {
		l.log.Warn("NATS: " + fmt.Sprintf(format, args...))
	}
}

func (l *logger) Errorf(format string, args ...any) {
	l.log.Error("NATS: " + fmt.Sprintf(format, args...))
}
func (l *logger) Debugf(string, ...any) {}
func (l *logger) Tracef(string, ...any) {}

// Fatalf does not end the process.
func (l *logger) Fatalf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = errors.New(fmt.Sprintf(format, args...))
	}
}

func (l *logger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
