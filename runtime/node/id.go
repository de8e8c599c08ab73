package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
)

const (
	idLength = 16
	idDigits = "abcdefghijklmnopqrstuvwxyz234567" // those of rand.Text in lower case
)

// IsID reports whether the text of a file is the name of a node.
func IsID(text string) bool {
	id := strings.TrimSuffix(text, "\n")
	return len(id) == idLength && strings.Trim(id, idDigits) == ""
}

// nodeID reads the name by which this node knows itself again, or makes one.
func nodeID(file string, log *slog.Logger) (string, error) {
	data, err := os.ReadFile(file)
	switch {
	case err == nil && IsID(string(data)):
		return strings.TrimSuffix(string(data), "\n"), nil
	case err == nil:
		log.Warn("the node's id is damaged; making a new one", "file", file)
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read node id: %w", err)
	}
	id := strings.ToLower(rand.Text()[:idLength])
	if err := os.WriteFile(file, []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write node id: %w", err)
	}
	return id, nil
}
