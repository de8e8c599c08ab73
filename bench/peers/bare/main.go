// Bare is fasthttp with nothing behind it: the most that a server which stands
// on fasthttp can reach. It listens on a port of its own and says which.
package main

import (
	"fmt"
	"log"
	"net"

	"github.com/valyala/fasthttp"
)

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready http=%s\n", ln.Addr())
	s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("hello") }}
	log.Fatal(s.Serve(ln))
}
