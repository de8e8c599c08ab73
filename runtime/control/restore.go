package control

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// uploadBackup brings a backup into a cluster that has not been used yet. The whole of
// it is here before anything is done with it.
func uploadBackup(r *request) error {
	file, err := os.CreateTemp(r.api.cfg.Temp, "restore-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	conn := http.NewResponseController(r.reply)
	if _, err := io.Copy(file, &stallingBody{r, conn}); err != nil {
		return bodyError(err)
	}
	conn.SetReadDeadline(time.Time{}) // it would end the request, which takes as long as it takes
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum, err := r.api.registry.Restore(r.Context(), file)
	if err != nil {
		return err
	}
	r.api.cfg.Logger.Info("restored a backup into the cluster", "request", r.id, "token", r.token.ID, "entries", sum.Entries, "blobs", sum.Blobs)
	return r.ok(sum)
}

// stallingBody may take as long as it takes, if only something comes in each
// backupStall.
type stallingBody struct {
	*request
	conn *http.ResponseController
}

func (b *stallingBody) Read(p []byte) (int, error) {
	if err := b.conn.SetReadDeadline(time.Now().Add(backupStall)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return 0, err
	}
	return b.Body.Read(p)
}
