package files

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// partPrefix begins the name of a part: a temporary file that becomes the file once it is complete.
// The activity, the attempt and random characters follow, with dashes in between.
const partPrefix = ".asteroid-part-"

// partLifetime is the time since the last write after which a part counts as abandoned, whoever
// wrote it. A transfer that goes on writes much more often.
const partLifetime = time.Hour

// partWriter is an attempt of an activity that writes parts.
type partWriter struct {
	prefix  string // of the names of the activity's parts
	attempt int64
}

// newPartWriter returns the writer of one attempt of the activity that the text identifies.
func newPartWriter(activity string, attempt int32) partWriter {
	digest := sha256.Sum256([]byte(activity))
	return partWriter{prefix: partPrefix + hex.EncodeToString(digest[:8]) + "-", attempt: int64(attempt)}
}

// newPart returns a new name for a part.
func (w partWriter) newPart() string { return fmt.Sprintf("%s%d-%s", w.prefix, w.attempt, rand.Text()) }

// removeAbandoned removes the parts in a folder that earlier attempts of the activity have left,
// and those that nothing has written to for partLifetime. It never removes a part of a later
// attempt: this one may have timed out already.
func (w partWriter) removeAbandoned(dir *os.Root, folder string) {
	opened, err := dir.Open(folder)
	if err != nil {
		return
	}
	defer func() { _ = opened.Close() }()
	names, _ := opened.Readdirnames(-1)
	for _, name := range names {
		if !strings.HasPrefix(name, partPrefix) {
			continue
		}
		part := filepath.Join(folder, name)
		if w.isEarlier(name) || isOld(dir, part) {
			_ = dir.Remove(part)
		}
	}
}

// isEarlier reports whether a part belongs to an earlier attempt of the same activity.
func (w partWriter) isEarlier(name string) bool {
	rest, own := strings.CutPrefix(name, w.prefix)
	attempt, _, _ := strings.Cut(rest, "-")
	number, err := strconv.ParseInt(attempt, 10, 64)
	return own && err == nil && number < w.attempt
}

func isOld(dir *os.Root, part string) bool {
	info, err := dir.Lstat(part)
	return err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > partLifetime
}
