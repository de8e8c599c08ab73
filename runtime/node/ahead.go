package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/compile"
)

// ahead compiles what will be wanted while the node serves already. The zero value does
// nothing.
type ahead struct {
	engine *runtime.Runtime
	code   *compile.Cache
	work   sync.WaitGroup
}

func (a *ahead) begin(logger *slog.Logger) {
	if a.engine == nil {
		return
	}
	a.work.Go(func() {
		if err := a.engine.CompileJavaScript(context.Background()); err != nil && !errors.Is(err, compile.ErrClosed) {
			logger.Error("compile the JavaScript engine", "err", err)
		}
	})
}

// close ends the work. Nothing else is compiled any more.
func (a *ahead) close() error {
	err := a.code.Close()
	a.work.Wait()
	return err
}
