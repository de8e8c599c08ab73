package host

import (
	"strings"
	"time"
)

// Env returns a variable or secret.
func Env(name string) (string, bool) {
	b, err := value(func(buf *byte, size uint32) int32 { return envGet(name, buf, size) })
	return view(b), err == nil
}

// EnvNames returns the names of all variables and secrets, sorted.
func EnvNames() []string {
	names := strings.Split(text(envNames), "\x00")
	return names[:len(names)-1] // each name is followed by NUL
}

// Log makes an entry; levels are 0 debug to 3 error.
func Log(level int, text string) { log(uint32(level), text) }

// TimeLeft is how long the invocation may still take.
func TimeLeft() time.Duration { return time.Duration(timeLeft()) }
