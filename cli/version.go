package cli

import (
	"fmt"
	goruntime "runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what a release is called. The linker sets it:
// -X github.com/mayfly-run/mayfly/cli.version=v1.2.3
var version string

// buildInfo is what the Go toolchain put into the binary.
type buildInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Time     string `json:"time,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(stdio Stdio) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "version",
		Example: "  mayfly version\n  mayfly version --json",
		Short:   "Print the version and how it was built",
		Args:    atMost(0),
		RunE: func(*cobra.Command, []string) error {
			v := readBuildInfo()
			if asJSON {
				return printJSON(stdio.Out, v)
			}
			_, err := fmt.Fprintln(stdio.Out, v)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func readBuildInfo() buildInfo {
	v := buildInfo{Version: "unknown", Go: goruntime.Version(), Platform: goruntime.GOOS + "/" + goruntime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = firstOf(version, info.Main.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// String is one line for people.
func (v buildInfo) String() string {
	s := "mayfly " + v.Version
	if v.Commit != "" {
		s += " (" + v.Commit[:min(len(v.Commit), 12)]
		if v.Modified {
			s += ", modified"
		}
		s += ")"
	}
	return fmt.Sprintf("%s %s %s", s, v.Go, v.Platform)
}
