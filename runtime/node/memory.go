package node

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

const (
	defaultAccountConcurrency = 1000
	// memoryUnknown is taken for the machine's memory where it can't be told.
	memoryUnknown = 4 << 30
	// leastMemory is for running requests, however small the machine.
	leastMemory = 256 << 20
)

// setMemory divides the machine's memory.
func (c *Config) setMemory() {
	if c.CodeMemory == 0 {
		c.CodeMemory = deploy.DefaultCodeMemory
	}
	if c.Memory == 0 {
		c.Memory = max(leastMemory, machineMemory()/4*3-c.CodeMemory)
	}
	if c.AccountMemory == 0 {
		c.AccountMemory = c.Memory / 2
	}
	if c.AccountConcurrency == 0 {
		c.AccountConcurrency = defaultAccountConcurrency
	}
}

// machineMemory is what this process may take, in bytes.
func machineMemory() int64 {
	total := int64(memoryUnknown)
	if n, ok := memTotal("/proc/meminfo"); ok {
		total = n
	}
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil { // else "max"
			total = min(total, n)
		}
	}
	return total
}

// memTotal reads the line "MemTotal: 24685116 kB".
func memTotal(file string) (int64, bool) {
	f, err := os.Open(file)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); name == "MemTotal" {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err == nil
		}
	}
	return 0, false
}
