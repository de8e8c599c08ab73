package runtime_test

import (
	"os"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/compile/compiletest"
)

func TestMain(m *testing.M) { os.Exit(compiletest.Main(m)) }
