package engine

import (
	"crypto/sha256"
	"fmt"

	quickjs "github.com/aperturerobotics/go-quickjs-wasi-reactor"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/wasm"
)

// JavaScript returns the module that runs Workers. It takes some 20 ms.
func JavaScript() ([]byte, error) {
	reactor, err := wasm.Parse(quickjs.QuickJSWASM, wasm.DefaultLimits())
	if err != nil {
		return nil, fmt.Errorf("parse the JavaScript engine: %w", err)
	}
	module, err := reactor.Extend(glue())
	if err != nil {
		return nil, fmt.Errorf("join the JavaScript engine: %w", err)
	}
	return module, nil
}

// Identity tells engines apart: an image that was taken with another one is of no
// use to this one, even where the machine code is the same.
func Identity() kv.Digest {
	h := sha256.New()
	h.Write(quickjs.QuickJSWASM)
	h.Write([]byte(js.Platform()))
	return kv.Digest(h.Sum(nil))
}
