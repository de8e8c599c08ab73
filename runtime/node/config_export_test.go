package node

import (
	"log/slog"
	"net"
)

// NewPatientListener and MaxConnections are what Start puts in front of Functions.
func NewPatientListener(ln net.Listener, connections int, log *slog.Logger) net.Listener {
	return newPatientListener(ln, connections, log)
}

func MaxConnections() int { return maxConnections() }

// ParseConfig is LoadConfig with the text of the file, for tests.
func ParseConfig(file string, data []byte) (Config, error) { return parseConfig(file, data) }

// WithDefaults is the Config that Start makes of one.
func (c Config) WithDefaults() Config {
	c.setDefaults()
	return c
}
