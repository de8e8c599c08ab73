// A CGI program that does what its path says.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	query := os.Getenv("QUERY_STRING")
	switch os.Getenv("PATH_INFO") {
	case "/hello":
		fmt.Println("hello, world")
	case "/env":
		fmt.Print("Content-Type: text/plain\n\n")
		fmt.Printf("%q\n%s\n", os.Args, strings.Join(os.Environ(), "\n"))
	case "/echo":
		fmt.Printf("Status: 201 Created\r\nContent-Type: %s\r\nX-Length: %s\r\n\r\n",
			os.Getenv("CONTENT_TYPE"), os.Getenv("CONTENT_LENGTH"))
		io.Copy(os.Stdout, os.Stdin)
	case "/schedule":
		fmt.Fprintln(os.Stderr, os.Getenv("MAYFLY_CRON"), "at", os.Getenv("MAYFLY_SCHEDULED_TIME"))
	case "/event":
		for _, v := range os.Environ() {
			if strings.HasPrefix(v, "MAYFLY_") || strings.HasPrefix(v, "CONTENT_") {
				fmt.Fprintln(os.Stderr, v)
			}
		}
		io.Copy(os.Stderr, os.Stdin)
		fmt.Print(os.Getenv("HTTP_X_OUTPUT"))
	case "/exit":
		fmt.Print(os.Getenv("HTTP_X_OUTPUT"))
		code, _ := strconv.Atoi(query)
		os.Exit(code)
	case "/panic":
		fmt.Println("half an answer")
		panic("on purpose")
	case "/trap":
		fmt.Println("half an answer")
		var p *int
		*p = 1
	case "/large":
		n, _ := strconv.Atoi(query)
		large(n)
	case "/stderr":
		println("one", 2)
		fmt.Fprint(os.Stderr, "three\n\nfo")
		fmt.Fprint(os.Stderr, "ur")
		fmt.Println("done")
	case "/close":
		fmt.Println("closed after this")
		os.Stdout.Close()
		_, err := fmt.Println("not seen")
		fmt.Fprintln(os.Stderr, err)
	case "/files":
		_, err := os.Open("/etc/passwd")
		_, list := os.ReadDir(".")
		fmt.Println(err != nil, list != nil)
	case "/sleep":
		start := time.Now()
		time.Sleep(time.Millisecond)
		fmt.Println(time.Since(start) >= time.Millisecond)
	case "/spin":
		for {
		}
	}
}

// large writes n bytes and says on stderr how that went.
func large(n int) {
	w := bufio.NewWriterSize(os.Stdout, 1<<16)
	_, err := io.CopyN(w, endless{}, int64(n))
	if err == nil {
		err = w.Flush()
	}
	switch {
	case errors.Is(err, syscall.EFBIG):
		println("too big")
	case err != nil:
		println(err.Error())
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}
