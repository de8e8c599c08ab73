// Command pack writes the archive of the SDK that new projects get. go generate
// runs it.
package main

import (
	"log"
	"os"

	"github.com/mayfly-run/mayfly/cli/internal/scaffold/sdktar"
)

func main() {
	packed, err := sdktar.Pack(os.DirFS(os.Args[1]))
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[2], packed, 0o644); err != nil {
		log.Fatal(err)
	}
}
