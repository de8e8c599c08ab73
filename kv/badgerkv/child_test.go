package badgerkv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
)

// The tests of what only a process of its own can show run this test binary
// again, with the role in one variable and the directory in another.
const (
	roleVariable = "BADGERKV_TEST_ROLE"
	dirVariable  = "BADGERKV_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		os.Exit(m.Run())
	case "write":
		exit(writeForever(os.Getenv(dirVariable)))
	case "idle-filled":
		exit(fill(os.Getenv(dirVariable)))
	case "idle":
		exit(idle(os.Getenv(dirVariable)))
	default:
		exit(fmt.Errorf("unknown role %q", role))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is this binary in a role. Its standard error is the test's.
func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, dirVariable+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// fill writes what damageValue makes and is idle.
func fill(dir string) error {
	s, err := badgerkv.Open(badgerkv.Config{Dir: dir})
	if err != nil {
		return err
	}
	for i := range 60 {
		if _, err := s.Put(context.Background(), fmt.Sprint(i), damageValue(i), kv.PutOptions{}); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1)) // returns when the test closes it
	return s.Close()
}

// idle opens the store, reads a little, says ready, and waits for its standard
// input to end.
func idle(dir string) error {
	s, err := badgerkv.Open(badgerkv.Config{Dir: dir})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := s.List(ctx, kv.ListOptions{}); err != nil {
		return err
	}
	if _, err := s.Get(ctx, "small/1"); err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1)) // returns when the test closes it
	return s.Close()
}
