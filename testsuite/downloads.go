package testsuite

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	signedPath      = "/signed/"
	recordingFileID = "recording"
	recordingName   = "recording.mp4"
)

// linker signs the download links of one response.
type linker struct {
	service *service
	host    string
	expires int64
}

// newLinker returns a linker whose links lead to another host name than the request, as the
// service's do, but to this same listener: localhost for 127.0.0.1 and the other way round. Any
// other host keeps its name, because no second name for it is known.
func (s *service) newLinker(r *http.Request, now time.Time) linker {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = r.Host, "80"
	}
	switch host {
	case "127.0.0.1", "::1":
		host = "localhost"
	case "localhost":
		host = "127.0.0.1"
	}
	return linker{service: s, host: net.JoinHostPort(host, port), expires: now.Add(s.linkLifetime).Unix()}
}

func (l linker) file(e *execution, f *executionFile) string { return l.link(e.id, f.id, f.name) }

func (l linker) recording(e *execution) string { return l.link(e.id, recordingFileID, recordingName) }

func (l linker) link(executionID, fileID, name string) string {
	target := url.URL{Scheme: "http", Host: l.host, Path: signedPath + executionID + "/" + fileID + "/" + name}
	target.RawQuery = url.Values{
		"expires":   {strconv.FormatInt(l.expires, 10)},
		"signature": {l.service.sign(executionID, fileID, l.expires)},
	}.Encode()
	return target.String()
}

func (s *service) sign(executionID, fileID string, expires int64) string {
	mac := hmac.New(sha256.New, s.signing)
	fmt.Fprintf(mac, "%s\n%s\n%d", executionID, fileID, expires)
	return hex.EncodeToString(mac.Sum(nil))
}

// ExecutionFileDownloadRedirect serves GET
// /agents/v2/executions/{executionId}/files/{fileId}/download.
func (s *service) ExecutionFileDownloadRedirect(w http.ResponseWriter, r *http.Request, id, fileID string) {
	s.serve(w, r, func(now time.Time) reply {
		e, refused := s.readable(now, caller(r), id)
		if refused != nil {
			return plain(http.StatusNotFound, "Execution not found.")
		}
		for _, file := range e.visibleFiles(now) {
			if file.id == fileID {
				return redirect(http.StatusSeeOther, s.newLinker(r, now).file(e, file))
			}
		}
		return plain(http.StatusNotFound, "File not found.")
	})
}

// ExecutionRecordingRedirect serves GET /agents/v2/executions/{executionId}/recording.
func (s *service) ExecutionRecordingRedirect(w http.ResponseWriter, r *http.Request, id string) {
	s.serve(w, r, func(now time.Time) reply {
		e, refused := s.readable(now, caller(r), id)
		if refused != nil {
			return *refused
		}
		if !e.recorded() {
			return problem(http.StatusNotFound, "The execution has no recording. One exists once an execution that ran is terminal.")
		}
		return redirect(http.StatusTemporaryRedirect, s.newLinker(r, now).recording(e))
	})
}

func (e *execution) recorded() bool {
	return terminal(e.status) && !e.startedAt.IsZero() && e.purgedAt.IsZero()
}

// download serves a signed link with ranges, a validator and a checksum, as object stores do. It
// refuses a request with an API key: the client has sent its key on to another host.
func (s *service) download(w http.ResponseWriter, r *http.Request) {
	executionID, fileID := r.PathValue("executionId"), r.PathValue("fileId")
	if used := usedKeyHeader(r.Header); used != "" {
		message := "a signed link was fetched with the API key in " + used + "; send the key to the API's host only"
		if !s.keysOnDownload {
			s.report(message)
			plain(http.StatusBadRequest, "Refused: "+message+".").write(w, r)
			return
		}
		s.log(message)
	}

	var content io.ReadSeekCloser
	var contentType, checksum string
	var modified time.Time
	refused := s.locked(func(now time.Time) reply {
		expires, _ := strconv.ParseInt(r.URL.Query().Get("expires"), 10, 64)
		signature := s.sign(executionID, fileID, expires)
		if !hmac.Equal([]byte(signature), []byte(r.URL.Query().Get("signature"))) || now.Unix() >= expires {
			return plain(http.StatusForbidden, "The link is invalid or expired. Ask the API for a new one.")
		}
		e := s.executions[executionID]
		if (e.deleted || !e.purgedAt.IsZero()) && !e.agent.shares(fileID) {
			return plain(http.StatusNotFound, "The file is gone.")
		}
		if fileID == recordingFileID {
			recording := s.spool.storeBytes(fmt.Appendf(nil, "recording of execution %s\n", e.id))
			content, _ = recording.open() // held in memory, so this cannot fail
			contentType, checksum, modified = "video/mp4", recording.sha256, e.terminalAt
			return reply{}
		}
		i := slices.IndexFunc(e.files, func(f *executionFile) bool { return f.id == fileID })
		if i < 0 {
			return plain(http.StatusNotFound, "The file is gone.")
		}
		file := e.files[i]
		var err error
		if content, err = file.blob.open(); errors.Is(err, errDiscarded) {
			return plain(http.StatusNotFound, "The file is gone: "+err.Error()+".")
		} else if err != nil {
			return plain(http.StatusInternalServerError, err.Error())
		}
		contentType, checksum, modified = file.contentType, file.blob.sha256, file.createdAt
		return reply{}
	})
	if refused.status != 0 {
		refused.write(w, r)
		return
	}
	defer content.Close()
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("ETag", strconv.Quote(checksum))
	raw, _ := hex.DecodeString(checksum) // the spool wrote it, so it is valid
	w.Header().Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(raw)+":")
	http.ServeContent(w, r, "", modified, content)
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }
