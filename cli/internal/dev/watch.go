package dev

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long nothing may change before a change is told: editors save
// in several steps, and often several files.
const quiet = 100 * time.Millisecond

// Watcher tells when something below some folders has changed.
type Watcher struct {
	// C receives after changes, once for all that happened since.
	C <-chan struct{}

	files   *fsnotify.Watcher
	tell    chan struct{}
	ignored func(path string) bool
	running sync.WaitGroup
}

// Watch watches folders with all that are or will be in them, but those that
// ignored names. Single files in dirs are watched as such.
func Watch(dirs []string, ignored func(path string) bool) (*Watcher, error) {
	files, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	w := &Watcher{files: files, tell: make(chan struct{}, 1), ignored: ignored}
	w.C = w.tell
	for _, dir := range dirs {
		if err := w.add(dir); err != nil {
			files.Close()
			return nil, fmt.Errorf("watch files: %w", err)
		}
	}
	w.running.Go(w.run)
	return w, nil
}

// Close ends the watch. C stays open and receives nothing more.
func (w *Watcher) Close() error {
	err := w.files.Close()
	w.running.Wait()
	return err
}

// add watches a folder and those in it. What vanishes meanwhile is no error.
func (w *Watcher) add(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path != root:
			return nil
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case path != root && w.ignored(path):
			return fs.SkipDir
		}
		return w.files.Add(path)
	})
}

func (w *Watcher) run() {
	settle := time.NewTimer(quiet)
	settle.Stop()
	defer settle.Stop()
	for {
		select {
		case e, ok := <-w.files.Events:
			if !ok {
				return
			}
			if w.seen(e) {
				settle.Reset(quiet)
			}
		case _, ok := <-w.files.Errors:
			if !ok {
				return
			}
			settle.Reset(quiet) // events were lost, perhaps the one that matters
		case <-settle.C:
			select {
			case w.tell <- struct{}{}:
			default: // the last one has not been received yet
			}
		}
	}
}

// seen reports whether an event is one to tell, and watches new folders.
func (w *Watcher) seen(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod || w.ignored(e.Name) {
		return false
	}
	if e.Has(fsnotify.Create) {
		if info, err := os.Stat(e.Name); err == nil && info.IsDir() {
			w.add(e.Name) //nolint:errcheck // it is gone again
		}
	}
	return true
}
