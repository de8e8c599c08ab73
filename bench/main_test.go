package bench_test

import (
	"os"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/worker/workertest"
)

func TestMain(m *testing.M) { os.Exit(workertest.Main(m)) }
