package trigger_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// An account with very many leaves places to others, and each gets its turn.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := trigger.NewPlaces(8)
		var mu sync.Mutex // guards count
		count := map[string]int{}
		snapshot := func() map[string]int {
			mu.Lock()
			defer mu.Unlock()
			return maps.Clone(count)
		}
		enter := func(account string) {
			leave, err := p.Enter(t.Context(), account)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			count[account]++
			mu.Unlock()
			time.Sleep(time.Second)
			leave()
		}
		for _, account := range []string{"a", "b", "c", "d"} {
			for range 20 {
				go enter(account)
			}
			synctest.Wait()
		}
		if got := fmt.Sprint(snapshot()); got != "map[a:2 b:2 c:2 d:2]" {
			t.Errorf("in the places are %v", got)
		}
		go enter("e")
		synctest.Wait()
		if snapshot()["e"] != 0 {
			t.Error("there is a ninth place")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := snapshot(); n["e"] != 1 || n["a"]+n["b"]+n["c"]+n["d"] != 8+7 {
			t.Errorf("after a second: %v", n)
		}
		time.Sleep(time.Minute)
		if got := fmt.Sprint(snapshot()); got != "map[a:20 b:20 c:20 d:20 e:1]" {
			t.Errorf("in the end: %v", got)
		}
	})
}

// Who gives up leaves no place taken.
func TestPlacesGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := trigger.NewPlaces(2)
		ctx, cancel := context.WithCancel(t.Context())
		leave, err := p.Enter(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan error, 1)
		go func() {
			_, err := p.Enter(ctx, "a")
			failed <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-failed; err != context.Canceled {
			t.Errorf("got %v", err)
		}
		leave()
		for _, account := range []string{"a", "b"} {
			if _, err := p.Enter(t.Context(), account); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := trigger.NewPlaces(4)
		leave := mustEnter(t, p, "a")
		p.Pause(true)
		p.Pause(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := p.Enter(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("during a pause: got %v", err)
		}
		leave()
		entered := make(chan error)
		go func() {
			_, err := p.Enter(t.Context(), "a")
			entered <- err
		}()
		synctest.Wait()
		p.Pause(false)
		p.Pause(false)
		if err := <-entered; err != nil {
			t.Error(err)
		}
	})
}

func mustEnter(t *testing.T, p *trigger.Places, account string) (leave func()) {
	t.Helper()
	leave, err := p.Enter(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}
