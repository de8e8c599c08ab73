package deploy_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/compile/compiletest"
)

// codeDir is where the nodes of all tests keep compiled code: their guests differ
// in data alone.
var codeDir string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	compiletest.Child()
	var err error
	if codeDir, err = os.MkdirTemp("", "mayfly-code-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(codeDir)
	return m.Run()
}
