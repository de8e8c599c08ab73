package control

import (
	"errors"
	"net/http"
	"time"
)

// backupStall is how long a client may take nothing of a backup: while it is under
// way, what is overwritten and deleted takes space.
const backupStall = time.Minute

// downloadBackup streams a backup of the whole node. One that fails half-way ends
// the connection, and has no end to be verified: nobody can take it for whole.
func downloadBackup(r *request) error {
	conn := http.NewResponseController(r.reply)
	conn.SetReadDeadline(time.Time{}) // it would end the request however fast it is
	defer conn.SetWriteDeadline(time.Time{})
	w := &backupWriter{r, conn}
	sum, err := r.api.registry.Backup(r.Context(), w, r.api.cfg.Version)
	if err != nil && !r.replied {
		return err
	}
	log := r.api.cfg.Logger.With("request", r.id, "token", r.token.ID, "entries", sum.Entries, "blobs", sum.Blobs, "bytes", sum.Bytes)
	if err != nil {
		log.Error("backup was cut off", "err", err)
		panic(http.ErrAbortHandler)
	}
	log.Info("backup")
	return nil
}

// backupWriter answers with what is written to it.
type backupWriter struct {
	*request
	conn *http.ResponseController
}

func (w *backupWriter) Write(p []byte) (int, error) {
	if !w.replied {
		if err := w.record(http.StatusOK); err != nil {
			return 0, err
		}
		w.replied = true
		h := w.reply.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", `attachment; filename="mayfly.backup"`)
		h.Set("Cache-Control", "no-store")
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(backupStall)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return 0, err
	}
	return w.reply.Write(p)
}
