package testsuite

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// stagedLifetime is how long an execute can take a staged file.
const stagedLifetime = 60 * time.Minute

const invalidUpload = "Invalid file upload request."

// stagedFile is a file that no execution has taken yet. A taken or expired one is removed, so that
// it is answered like one that was never staged.
type stagedFile struct {
	id           string
	organization *organization
	expires      time.Time
	upload
}

// upload is one part of an upload form.
type upload struct {
	name, contentType string
	blob              *blob
}

// TempFilesStage serves POST /agents/v2/temp-files/{organizationId}.
func (s *service) TempFilesStage(w http.ResponseWriter, r *http.Request, organizationID string) {
	s.stage(w, r, &organizationID)
}

// TempFilesUpload serves POST /agents/v2/temp-files.
func (s *service) TempFilesUpload(w http.ResponseWriter, r *http.Request, params api.TempFilesUploadParams) {
	if unknownQuery(r, params) != nil {
		plain(http.StatusBadRequest, invalidUpload).write(w, r)
		return
	}
	organizationID := params.OrganizationID
	if key := caller(r); organizationID == nil && len(key.organizations) == 1 {
		organizationID = &key.organizations[0].id
	}
	s.stage(w, r, organizationID)
}

func (s *service) stage(w http.ResponseWriter, r *http.Request, organizationID *string) {
	var o *organization
	refused := s.locked(func(time.Time) reply {
		if organizationID == nil || !isUUID(*organizationID) {
			return plain(http.StatusBadRequest, invalidUpload)
		}
		if o = s.organizations[strings.ToLower(*organizationID)]; o == nil || !caller(r).memberOf(o) {
			return plain(http.StatusForbidden, "User is not a member of the organization.")
		}
		return reply{}
	})
	if refused.status != 0 {
		refused.write(w, r)
		return
	}
	uploads, err := s.receiveForm(r)
	if err != nil {
		plain(http.StatusBadRequest, invalidUpload).write(w, r)
		return
	}
	s.serve(w, r, func(now time.Time) reply {
		s.expireStaged(now)
		body := api.TempFilesResponse{TempFiles: []api.TempFile{}}
		for _, u := range uploads {
			file := &stagedFile{id: newUUID(), organization: o, expires: now.Add(stagedLifetime), upload: u}
			s.staged[file.id] = file
			body.TempFiles = append(body.TempFiles, api.TempFile{ID: file.id, Name: file.name})
		}
		return answer(http.StatusOK, body)
	})
}

// receiveForm reads an upload form part by part, so that its size does not matter. It makes the
// names unique within the form.
func (s *service) receiveForm(r *http.Request) (uploads []upload, err error) {
	defer func() {
		if err != nil {
			for _, u := range uploads {
				u.blob.discard()
			}
		}
	}()
	media, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, fmt.Errorf("the body is %q, not multipart/form-data with a boundary", media)
	}
	if s.discardUploads {
		return countForm(r.Body, parameters["boundary"])
	}
	body := &endReader{Reader: r.Body, end: []byte("--" + parameters["boundary"] + "--")}
	form := multipart.NewReader(body, parameters["boundary"])
	for {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) && body.ended {
			break
		}
		if err != nil {
			return uploads, err
		}
		u, err := newUpload(uploads, part)
		if err != nil {
			return uploads, err
		}
		if u.blob, err = s.spool.store(part); err != nil {
			return uploads, err
		}
		uploads = append(uploads, u)
	}
	if len(uploads) == 0 {
		return nil, errors.New("the form has no files")
	}
	return uploads, nil
}

// newUpload returns the upload of one more part of a form, without its content.
func newUpload(before []upload, part *multipart.Part) (upload, error) {
	name := strings.ToValidUTF8(part.FileName(), "\ufffd") // JSON cannot hold it otherwise
	if part.FormName() != "files" || !plainName(name) {
		return upload{}, fmt.Errorf("the part %q has the file name %q: each part must be a file named files", part.FormName(), name)
	}
	var taken []string
	for _, other := range before {
		taken = append(taken, other.name)
	}
	return upload{name: uniqueName(taken, name), contentType: cmp.Or(part.Header.Get("Content-Type"), "application/octet-stream")}, nil
}

// endReader detects the closing boundary of a form. mime/multipart accepts a form that is cut off
// between two parts.
type endReader struct {
	io.Reader
	end    []byte
	recent []byte // the last bytes, which may be the beginning of end
	ended  bool
}

func (r *endReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if !r.ended {
		r.recent = append(r.recent, p[:n]...)
		r.ended = bytes.Contains(r.recent, r.end)
		keep := min(len(r.recent), len(r.end)-1)
		r.recent = append(r.recent[:0], r.recent[len(r.recent)-keep:]...)
	}
	return n, err
}

// uniqueName adds a number before the extension of a name that is taken.
func uniqueName(taken []string, name string) string {
	extension := path.Ext(name)
	stem := strings.TrimSuffix(name, extension)
	unique := name
	for n := 1; slices.Contains(taken, unique); n++ {
		unique = fmt.Sprintf("%s-%d%s", stem, n, extension)
	}
	return unique
}

func (s *service) expireStaged(now time.Time) {
	for id, file := range s.staged {
		if !now.Before(file.expires) {
			file.blob.discard()
			delete(s.staged, id)
		}
	}
}

// findStaged returns the staged files of an execute request. They stay staged until the request is
// accepted.
func (s *service) findStaged(now time.Time, o *organization, handles *[]api.TempFile) ([]*stagedFile, *reply) {
	s.expireStaged(now)
	if handles == nil {
		return nil, nil
	}
	var found []*stagedFile
	var faults []api.FieldError
	for _, handle := range *handles {
		file := s.staged[strings.ToLower(handle.ID)]
		detail := ""
		switch {
		case file == nil || file.organization != o:
			detail = "is unknown: never staged in the agent's organization, taken by another execution, or older than 60 minutes"
		case file.name != handle.Name:
			detail = fmt.Sprintf("was staged as %q; send the handle back unchanged", file.name)
		case slices.Contains(found, file):
			detail = "is named twice"
		default:
			found = append(found, file)
			continue
		}
		faults = append(faults, api.FieldError{
			Parameter: "tempFiles", Detail: fmt.Sprintf("temp file %s (%q) %s", handle.ID, handle.Name, detail),
		})
	}
	if len(faults) > 0 {
		return nil, new(problem(http.StatusBadRequest, "tempFiles: "+faults[0].Detail, faults...))
	}
	return found, nil
}
