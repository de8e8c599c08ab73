// Cgi is a Function without any SDK: a plain program that speaks CGI (RFC 3875).
// The request is in environment variables and on standard input, the response
// goes to standard output, and standard error is the log.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
)

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err) // no output and an exit code: status 500
	}
	log.Printf("%s with %d bytes", os.Getenv("REQUEST_METHOD"), len(body))

	fmt.Print("Content-Type: text/plain; charset=utf-8\n")
	fmt.Print("Cache-Control: no-store\n\n")
	for _, name := range []string{"REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "HTTP_USER_AGENT"} {
		fmt.Printf("%s=%s\n", name, os.Getenv(name))
	}
	fmt.Printf("\n%s", body)
}
