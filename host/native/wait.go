package native

import (
	"encoding/binary"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Waiting".
var waitFuncs = []abi.Func{
	{Name: "wait", Params: []abi.Type{abi.I32, abi.I32, abi.I64}, Results: i32, Do: wait},
}

// maxWaits bounds how many handles one wait looks at.
const maxWaits = 1024

func wait(g abi.Guest, a abi.Args) int64 {
	ptr, count := a.U32(0), a.U32(1)
	if count > maxWaits {
		return failed(g, host.Errorf(host.CodeInvalid, "wait takes at most %d handles", maxWaits))
	}
	ws, err := waitables(g, g.Bytes(ptr, 4*count))
	if err != nil {
		return failed(g, err)
	}
	i, err := g.WaitAny(ws, time.Duration(a.I64(2)))
	switch {
	case err != nil:
		return failed(g, err)
	case i < 0:
		return failed(g, errWaited)
	}
	return int64(i)
}

func waitables(g abi.Guest, handles []byte) ([]host.Waitable, *host.Error) {
	ws := make([]host.Waitable, 0, len(handles)/4)
	for ; len(handles) > 0; handles = handles[4:] {
		w, err := get[host.Waitable](g, binary.LittleEndian.Uint32(handles))
		if err != nil {
			return nil, err
		}
		ws = append(ws, w)
	}
	return ws, nil
}
