package compile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/tetratelabs/wazero"
)

// result is the one line that a child prints.
type result struct {
	Format  int    `json:"format"`
	Refused string `json:"refused,omitempty"` // what wazero says about the module
	Failed  string `json:"failed,omitempty"`  // what else went wrong
	UsedUp  bool   `json:"used_up,omitempty"` // the processor time is
}

// Child is the main function of the child process: it limits itself, reads a
// module from stdin, compiles it into the directory it was told, and prints one
// line of JSON. args are those that the Cache appended to its Command. It returns
// the exit code.
//
// Linux limits processor time and address space; elsewhere only the parent's
// clock bounds a child.
func Child(stdin io.Reader, stdout, stderr io.Writer, args []string) int {
	dir, limits, err := parseArgs(args)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	r := workUntil(stdin, dir, limits)
	if err := json.NewEncoder(stdout).Encode(r); err != nil || r.Failed != "" {
		fmt.Fprintln(stderr, r.Failed)
		return 1
	}
	return 0
}

// workUntil works until the processor time is used up, of which the kernel tells by a
// signal. Nobody else knows: that time counts in ticks, and what the parent is told in
// the end may be less by a tenth.
func workUntil(stdin io.Reader, dir string, limits Limits) result {
	usedUp := make(chan os.Signal, 1)
	signal.Notify(usedUp, syscall.SIGXCPU)
	done := make(chan result, 1)
	go func() { done <- work(stdin, dir, limits) }() // it ends with the process
	select {
	case r := <-done:
		return r
	case <-usedUp:
		return result{Format: format, UsedUp: true}
	}
}

func work(stdin io.Reader, dir string, limits Limits) result {
	if err := limits.apply(); err != nil {
		return result{Format: format, Failed: fmt.Sprintf("limit this process: %v", err)}
	}
	code, err := io.ReadAll(stdin)
	if err != nil {
		return result{Format: format, Failed: fmt.Sprintf("read module: %v", err)}
	}
	switch err := compileInto(context.Background(), dir, code); {
	case err == nil:
		return result{Format: format}
	case isSystem(err):
		return result{Format: format, Failed: fmt.Sprintf("write compiled code: %v", err)}
	default:
		return result{Format: format, Refused: err.Error()}
	}
}

// isSystem tells a full disk from a wrong module.
func isSystem(err error) bool {
	_, ok := errors.AsType[syscall.Errno](err)
	return ok
}

// compileInto makes wazero compile code and write its entry below dir.
func compileInto(ctx context.Context, dir string, code []byte) error {
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return err
	}
	defer cache.Close(ctx)
	engine := wazero.NewRuntimeWithConfig(ctx, runtimeConfig().WithCompilationCache(cache))
	defer engine.Close(ctx)
	_, err = engine.CompileModule(ctx, code)
	return err
}

// args are what Child parses.
func (l Limits) args(dir string) []string {
	return []string{dir, strconv.FormatInt(int64(l.CPU/time.Second), 10), strconv.FormatInt(l.Memory, 10)}
}

func parseArgs(args []string) (dir string, l Limits, err error) {
	if len(args) != 3 {
		return "", l, errors.New("this starts a child of the compile cache: give a directory, seconds and bytes")
	}
	seconds, err := strconv.ParseInt(args[1], 10, 32)
	if err != nil || seconds <= 0 {
		return "", l, fmt.Errorf("seconds %q: not a positive number", args[1])
	}
	memory, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil || memory <= 0 {
		return "", l, fmt.Errorf("bytes %q: not a positive number", args[2])
	}
	if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
		return "", l, fmt.Errorf("%q is not a directory", args[0])
	}
	return args[0], Limits{CPU: time.Duration(seconds) * time.Second, Memory: memory}, nil
}

// env is all of a child's environment: nothing of the parent's gets there. One
// processor, and collection in earnest before the hard limit.
func (l Limits) env() []string {
	return []string{"GOMAXPROCS=1", fmt.Sprintf("GOMEMLIMIT=%d", l.Memory/4*3)}
}
