package trigger_test

import (
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
)

// A guest's memory: constants at the bottom, a buffer above.
const (
	textAt   = 0
	headerAt = 1024
	bufferAt = 4096
	bufferSz = 32 << 10
)

const textHeaders = "content-type\x00text/plain\x00"

// guest builds a native module whose fetch is what body makes, given the index
// of each imported function. It imports only those named.
func guest(text string, body func(call map[string]uint32) [][]byte, imports ...string) []byte {
	var m hosttest.Module
	index := map[string]uint32{}
	for _, name := range imports {
		index[name] = importNative(&m, name)
	}
	m.Memory(2)
	m.Data(textAt, []byte(text))
	m.Data(headerAt, []byte(textHeaders))
	m.Func("fetch", nil, nil, []abi.Type{abi.I32, abi.I32, abi.I32}, body(index)...)
	return m.Bytes()
}

// importNative imports a function of the native ABI and returns its index.
func importNative(m *hosttest.Module, name string) uint32 {
	table := native.New().Modules()[0]
	f, ok := table.Find(name)
	if !ok {
		panic("no host function " + name)
	}
	return m.Import(table.Name, name, f.Params, f.Results)
}

func numbers(values ...int32) (ops []byte) {
	for _, v := range values {
		ops = append(ops, hosttest.I32Const(v)...)
	}
	return ops
}

// answer calls respond with text.
func answer(call map[string]uint32, status int, length int) []byte {
	return concat(numbers(int32(status), headerAt, int32(len(textHeaders)), textAt, int32(length)),
		hosttest.Call(call["respond"]), hosttest.Drop)
}

func concat(parts ...[]byte) (ops []byte) {
	for _, p := range parts {
		ops = append(ops, p...)
	}
	return ops
}

func helloGuest(text string) []byte {
	return guest(text, func(call map[string]uint32) [][]byte {
		return [][]byte{answer(call, 200, len(text))}
	}, "respond")
}

// bodyGuest answers with the request's body, as much of it as one buffer holds,
// or with status 418 if reading it failed.
func bodyGuest() []byte {
	const body, total, n = 0, 1, 2
	return guest("", func(call map[string]uint32) [][]byte {
		return [][]byte{
			hosttest.Call(call["request_body"]), hosttest.LocalSet(body),
			hosttest.Block, hosttest.Loop,
			hosttest.LocalGet(body),
			numbers(bufferAt), hosttest.LocalGet(total), hosttest.I32Add,
			numbers(bufferSz), hosttest.LocalGet(total), hosttest.I32Sub,
			hosttest.Call(call["body_read"]), hosttest.LocalTee(n),
			numbers(1), hosttest.I32LtS, hosttest.BrIf(1),
			hosttest.LocalGet(total), hosttest.LocalGet(n), hosttest.I32Add, hosttest.LocalSet(total),
			hosttest.Br(0), hosttest.End, hosttest.End,
			// -3 is "there is no body"
			hosttest.LocalGet(n), hosttest.I32Eqz, hosttest.LocalGet(body), numbers(-3), hosttest.I32Eq, []byte{0x72},
			hosttest.If,
			numbers(200, headerAt, int32(len(textHeaders)), bufferAt), hosttest.LocalGet(total),
			hosttest.Call(call["respond"]), hosttest.Drop,
			hosttest.Else,
			numbers(418, 0, 0, 0, 0), hosttest.Call(call["respond"]), hosttest.Drop,
			hosttest.End,
		}
	}, "request_body", "body_read", "respond")
}

// echoGuest streams the request's body back piece by piece.
func echoGuest() []byte {
	const body, stream, n = 0, 1, 2
	return guest("", func(call map[string]uint32) [][]byte {
		return [][]byte{
			hosttest.Call(call["request_body"]), hosttest.LocalSet(body),
			numbers(200, headerAt, int32(len(textHeaders))), hosttest.Call(call["respond_stream"]), hosttest.LocalSet(stream),
			hosttest.Block, hosttest.Loop,
			hosttest.LocalGet(body), numbers(bufferAt, bufferSz), hosttest.Call(call["body_read"]), hosttest.LocalTee(n),
			numbers(1), hosttest.I32LtS, hosttest.BrIf(1),
			hosttest.LocalGet(stream), numbers(bufferAt), hosttest.LocalGet(n), hosttest.Call(call["body_write"]),
			hosttest.LocalGet(n), hosttest.I32Ne, hosttest.BrIf(1),
			hosttest.Br(0), hosttest.End, hosttest.End,
		}
	}, "request_body", "body_read", "respond_stream", "body_write")
}

// brokenStreamGuest writes "part" and traps.
func brokenStreamGuest() []byte {
	return guest("part", func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(200, 0, 0), hosttest.Call(call["respond_stream"]),
			numbers(textAt, 4), hosttest.Call(call["body_write"]), hosttest.Drop,
			hosttest.Unreachable,
		}
	}, "respond_stream", "body_write")
}

// laterGuest answers "first" and logs "later" after the answer was sent, once
// the fetch it began has been answered.
func laterGuest(url string) []byte {
	text := "firstlaterGET" + url
	return guest(text, func(call map[string]uint32) [][]byte {
		return [][]byte{
			answer(call, 200, 5), hosttest.Call(call["wait_until"]), hosttest.Drop,
			numbers(10, 3, 13, int32(len(url)), 0, 0, 0, 0), hosttest.Call(call["fetch_send"]),
			hosttest.Call(call["fetch_status"]), hosttest.Drop,
			numbers(1, 5, 5), hosttest.Call(call["log"]), hosttest.Drop,
		}
	}, "respond", "wait_until", "fetch_send", "fetch_status", "log")
}

// urlGuest answers with what a function of the request area returns.
func areaGuest(function string) []byte {
	return guest("", func(call map[string]uint32) [][]byte {
		return [][]byte{
			numbers(200, headerAt, int32(len(textHeaders)), bufferAt),
			numbers(bufferAt, bufferSz), hosttest.Call(call[function]),
			hosttest.Call(call["respond"]), hosttest.Drop,
		}
	}, function, "respond")
}

func opsGuest(ops ...[]byte) []byte {
	return guest("", func(map[string]uint32) [][]byte { return ops })
}
