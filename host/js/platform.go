package js

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed platform/*.js
var sources embed.FS

// platformName is what stack traces call the platform.
const platformName = "mayfly:platform"

// parts are the platform's sources in the order in which they stand in its one
// scope. The last one is the value of the whole: the handler of events.
var parts = []string{
	"host", "events", "encoding", "url", "headers",
	"streams", "bytestreams", "byob", "bytetee", "writable", "pipe", "transform",
	"blob", "body", "request", "response", "fetch", "timers",
	"algorithms", "keys", "subtle", "crypto", "clone",
	"globals", "compression", "patternparse", "urlpattern", "htmlrewriter", "cache", "kv", "console", "handlers", "scheduled", "kvevent", "v8", "queue", "batch", "worker",
}

// Platform is the source of the platform: a function of those of the
// host, which returns the handler of events. It is the same in every build.
func Platform() string {
	var b strings.Builder
	b.WriteString("(host, random, compile) => { \"use strict\";\n")
	for i, op := range operations {
		fmt.Fprintf(&b, "const %s = %d;\n", op.name, i)
	}
	for _, part := range parts {
		source, err := sources.ReadFile("platform/" + part + ".js")
		if err != nil {
			panic(err) // it is in the binary
		}
		b.Write(source)
	}
	b.WriteString("return handle;\n}")
	return b.String()
}
