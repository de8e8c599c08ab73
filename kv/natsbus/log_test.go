package natsbus_test

import "log/slog"

// lines is a log that keeps its lines.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default:
	}
	return len(line), nil
}

func logger(to chan string) *slog.Logger { return slog.New(slog.NewTextHandler(lines(to), nil)) }
