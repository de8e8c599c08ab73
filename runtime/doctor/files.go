package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
	"github.com/mayfly-run/mayfly/kv/space"
	"github.com/mayfly-run/mayfly/runtime/audit"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/datadir"
	"github.com/mayfly-run/mayfly/runtime/node"
)

func (r *Report) checkFormat(dir datadir.Dir) {
	err := dir.Check()
	if err == nil || errors.Is(err, fs.ErrNotExist) { // from before there were formats
		return
	}
	r.add(Problem{Where: "format", What: err.Error(), Means: "no node starts on the directory", Fix: "as it says"})
}

// checkFiles looks at the small files, and whether strangers can read secret ones.
func (r *Report) checkFiles(dir datadir.Dir) {
	if info, err := os.Stat(dir.ACME()); err == nil && info.Mode().Perm()&0o077 != 0 {
		r.add(Problem{Where: "acme", What: fmt.Sprintf("it has the mode %v: not only its owner has access", info.Mode()), Means: "whoever reads it can pass himself off as the node", Fix: "chmod 700 " + dir.ACME()})
	}
	type file struct{ path, means string }
	private := []file{
		{dir.AdminToken(), "whoever reads it administrates the node"},
		{dir.NodeID(), "it need not be secret, and is written like that"},
		{dir.KEK(), "whoever reads it, and the database, reads all secrets"},
	}
	logs, _ := audit.Files(dir.AuditLog()) // a folder that can't be read shows below
	for _, path := range logs {
		private = append(private, file{path, "whoever reads it sees who changed what"})
	}
	for _, f := range private {
		info, err := os.Stat(f.path)
		if err != nil {
			continue // made when the node starts
		}
		if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o077 != 0 {
			r.add(Problem{Where: filepath.Base(f.path), What: fmt.Sprintf("it has the mode %v: not only its owner has access", mode), Means: f.means, Fix: "chmod 600 " + f.path})
		}
	}
	if text, err := os.ReadFile(dir.NodeID()); err == nil && !node.IsID(string(text)) {
		r.add(Problem{Where: "node.id", What: "it holds no name of a node", Means: "the node gives itself another one, and knows itself again by that", Fix: "just start the node"})
	}
}

// checkAudit follows the chain of the log of changes.
func (r *Report) checkAudit(dir datadir.Dir) {
	if _, err := os.Stat(dir.AuditLog()); err != nil {
		return // begun when the node starts
	}
	if _, err := (audit.Check{Rest: true}).Read(dir.AuditLog(), func(audit.Entry) error { return nil }); err != nil {
		r.add(Problem{Where: "audit.log", What: err.Error(), Means: "what the log says from there on is not proven",
			Fix: "if the node ended while it wrote, its next start mends it; else keep the file as it is and look into who or what changed it"})
	}
}

func (r *Report) checkSpace(dir datadir.Dir) {
	v, err := space.Measure(string(dir))
	if err != nil || v.Total == 0 {
		return
	}
	if reserve := space.DefaultReserve(v.Total, badgerkv.WorkingSpace); v.Free < reserve {
		r.add(Problem{Where: ".", What: fmt.Sprintf("%d MiB are free on the volume; a node keeps %d", v.Free>>20, reserve>>20),
			Means: "the node refuses writes and deploys", Fix: "free space, or make the volume larger"})
	}
}

// checkBlobs reads every blob, and tells what is known of one.
func (r *Report) checkBlobs(ctx context.Context, dir datadir.Dir) (func(context.Context, kv.Digest) error, error) {
	state := map[kv.Digest]error{}
	err := filepath.WalkDir(dir.Blobs(), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		digest, err := kv.ParseDigest(d.Name())
		if err != nil {
			return nil // a write that was under way; removed at the next start
		}
		r.Blobs++
		data, err := os.ReadFile(path)
		if err != nil || kv.DigestOf(data) != digest {
			err = kv.ErrCorrupt
		}
		state[digest] = err
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("check blobs: %w", err)
	}
	return func(_ context.Context, d kv.Digest) error {
		err, there := state[d]
		if !there {
			return kv.ErrNotFound
		}
		return err
	}, nil
}

func (r *Report) checkCode(ctx context.Context, dir datadir.Dir) (err error) {
	r.Compiled, err = compile.Examine(ctx, dir.Code(), func(d compile.Damage) {
		r.add(Problem{Where: filepath.Join("code", d.File), What: d.What, Means: "the module is compiled again when it is needed",
			Fix: "run mayfly doctor with --repair, or just start the node", remove: filepath.Join(dir.Code(), d.File)})
	})
	if err != nil {
		return fmt.Errorf("check compiled code: %w", err)
	}
	return nil
}
