package report

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	goruntime "runtime"
	"strings"
)

// Machine names this machine: system, cores, processor and kernel. What it
// can't find out is left away.
func Machine() string {
	parts := []string{command("uname", "-sm"), fmt.Sprintf("%d cores", goruntime.NumCPU()), processor(), "kernel " + command("uname", "-r")}
	known := parts[:0]
	for _, p := range parts {
		if p != "" {
			known = append(known, p)
		}
	}
	return strings.Join(known, ", ")
}

var modelName = regexp.MustCompile(`(?m)^model name\s*:\s*(.+)$`)

func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return command("sysctl", "-n", "machdep.cpu.brand_string")
	}
	if m := modelName.FindSubmatch(info); m != nil {
		return string(m[1])
	}
	return ""
}

// command is what a command prints, empty if it can't be run.
func command(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
