package natsserver

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// logger gives the server's lines to the node's log. What it only notices is of
// use to those who look for a fault.
type logger struct {
	log *slog.Logger

	mu   sync.Mutex // guards what follows
	err  error      // the first that ended the start
	said map[string]time.Time
}

var _ server.Logger = (*logger)(nil)

// sayAgain is how long a line is left out that differs from one before in digits only:
// servers try to reach each other several times a second.
const sayAgain = time.Minute

func (l *logger) Noticef(format string, args ...any) {
	l.log.Debug("NATS: " + fmt.Sprintf(format, args...))
}

// plaintext is what the server says of its secret, which is in this process's memory.
const plaintext = "Plaintext passwords detected"

func (l *logger) Warnf(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !strings.HasPrefix(text, plaintext) && l.isNew(text) {
		l.log.Warn("NATS: " + text)
	}
}

func (l *logger) Errorf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	switch {
	case !l.isNew(text):
	case strings.Contains(text, "uthorization Violation") || strings.Contains(text, "authentication error"):
		l.log.Error("the NATS servers of two nodes, or a client, do not have the same secret: give all nodes the same one (MAYFLY_CLUSTER_SECRET, or secret_file)", "nats", text)
	case strings.Contains(text, "TLS") && strings.Contains(text, "handshake error"):
		l.log.Error("the NATS servers of two nodes, or a client, do not accept each other's certificates: give all nodes the same authority (tls.ca), and each a certificate by it (tls.cert, tls.key) for its host in peers", "nats", text)
	default:
		l.log.Error("NATS: " + text)
	}
}

func (l *logger) Debugf(string, ...any) {}
func (l *logger) Tracef(string, ...any) {}

// isNew reports whether a line has not been said just now.
func (l *logger) isNew(text string) bool {
	key := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.said[key]) < sayAgain {
		return false
	}
	if len(l.said) > 1000 {
		clear(l.said)
	}
	l.said[key] = now
	return true
}

// Fatalf does not end the process.
func (l *logger) Fatalf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

func (l *logger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
