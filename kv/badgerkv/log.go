package badgerkv

import (
	"fmt"
	"log/slog"
	"strings"
)

// logger is badger.Logger over slog.
type logger struct{ log *slog.Logger }

func (l logger) Errorf(format string, args ...any)   { l.log.Error(text(format, args)) }
func (l logger) Warningf(format string, args ...any) { l.log.Warn(text(format, args)) }
func (l logger) Infof(format string, args ...any)    { l.log.Debug(text(format, args)) }
func (l logger) Debugf(string, ...any)               {}

func text(format string, args []any) string {
	return "badger: " + strings.TrimSpace(fmt.Sprintf(format, args...))
}
