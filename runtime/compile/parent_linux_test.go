package compile_test

import (
	"fmt"
	"io"
	"testing"
)

// A child doesn't outlive a server that is killed.
func TestChildDiesWithParent(t *testing.T) {
	server := play(t.Context(), roleWait, t.TempDir())
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, new(string)); err != nil {
		t.Fatal(err)
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(out); err != nil { // its end: nobody has it open any more
		t.Fatal(err)
	}
	if err := server.Wait(); err == nil {
		t.Error("the server ended by itself")
	}
}
