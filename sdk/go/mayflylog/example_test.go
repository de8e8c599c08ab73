package mayflylog_test

import (
	"fmt"
	"log/slog"

	"github.com/mayfly-run/mayfly/sdk/go/mayflylog"
)

func ExampleNewHandler() {
	log := slog.New(mayflylog.NewHandler(nil)) // or slog.SetDefault, in func init
	entries := logged(func() { log.Warn("disk is full", "left", 0) })
	fmt.Println(entries[0].Level, entries[0].Text)
	// Output: 2 msg="disk is full" left=0
}
