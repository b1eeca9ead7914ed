package testsuite

import (
	"mime"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// outputDirectories are the directories that an agent can write to.
var outputDirectories = []string{"downloads", "workspace", "shared", "debug"}

// executionFile is a file in one of an execution's directories.
type executionFile struct {
	id, directory, name string
	contentType         string
	createdBy           string // user or agent
	createdAt           time.Time
	visibleAt           time.Time // when listings begin to show it
	blob                *blob
}

// addFile adds a file to a directory. If the name is taken there, the file gets a numbered name.
func (e *execution) addFile(at time.Time, directory, createdBy, name, contentType string, content *blob) *executionFile {
	var taken []string
	for _, other := range e.files {
		if other.directory == directory {
			taken = append(taken, other.name)
		}
	}
	file := &executionFile{
		id: newUUID(), directory: directory, name: uniqueName(taken, name), contentType: contentType,
		createdBy: createdBy, createdAt: at, visibleAt: at, blob: content,
	}
	e.files = append(e.files, file)
	return file
}

// writeFile adds an agent's file. It replaces a file of the same name.
func (e *execution) writeFile(at time.Time, directory, name, contentType string, content *blob) {
	if !slices.Contains(outputDirectories, directory) || !plainName(name) {
		e.scriptError(at, "cannot write the file "+directory+"/"+name+"; use a plain name in one of "+strings.Join(outputDirectories, ", "))
		return
	}
	e.files = slices.DeleteFunc(e.files, func(f *executionFile) bool { return f.directory == directory && f.name == name })
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	file := e.addFile(at, directory, "agent", name, contentType, content)
	file.visibleAt = at.Add(e.service.fileSyncDelay)
	e.addActivity(at, file)
}

// plainName returns whether name is a file name without a directory.
func plainName(name string) bool {
	return !slices.Contains([]string{"", ".", "..", "/"}, name) && path.Base(name) == name
}

func (f *executionFile) path() string { return "/" + f.directory + "/" + f.name }

func (f *executionFile) toFile() File {
	return File{Name: f.name, ContentType: f.contentType, Size: f.blob.size, SHA256: f.blob.sha256, blob: f.blob}
}

// source returns the source member of the file_added activity.
func (f *executionFile) source() string {
	if f.createdBy == "user" {
		return "upload"
	}
	return "agent"
}

// visibleFiles returns the files that listings show by now.
func (e *execution) visibleFiles(now time.Time) []*executionFile {
	var visible []*executionFile
	for _, file := range e.files {
		if !now.Before(file.visibleAt) && e.purgedAt.IsZero() {
			visible = append(visible, file)
		}
	}
	return visible
}

// ExecutionFilesGet serves GET /agents/v2/executions/{executionId}/files.
func (s *service) ExecutionFilesGet(w http.ResponseWriter, r *http.Request, id string) {
	s.serve(w, r, func(now time.Time) reply {
		e, refused := s.readable(now, caller(r), id)
		if refused != nil {
			return plain(http.StatusNotFound, "Execution not found.")
		}
		links := s.newLinker(r, now)
		body := api.AgentFilesResponse{Directories: map[string][]api.AgentFile{}}
		for _, f := range e.visibleFiles(now) {
			body.Directories[f.directory] = append(body.Directories[f.directory], api.AgentFile{
				ID: f.id, ExecutionID: &e.id, AgentID: &e.agent.id, WorkflowID: &e.agent.id,
				Directory: f.directory, FilePath: f.path(), FileName: f.name, FileSize: f.blob.size,
				MimeType: new(f.contentType), CreatedBy: new(f.createdBy), DownloadURL: new(links.file(e, f)),
				CreatedAt: new(f.createdAt), UpdatedAt: new(f.createdAt),
			})
			if body.LastUpdated == nil || body.LastUpdated.Before(f.visibleAt) {
				body.LastUpdated = new(f.visibleAt)
			}
		}
		return answer(http.StatusOK, body)
	})
}

// ExecutionContextFilesGet serves GET /agents/v2/executions/{executionId}/context-files: all files
// of the execution in one list.
func (s *service) ExecutionContextFilesGet(w http.ResponseWriter, r *http.Request, id string) {
	s.serve(w, r, func(now time.Time) reply {
		e, refused := s.readable(now, caller(r), id)
		if refused != nil {
			return plain(http.StatusNotFound, "Execution files not found.")
		}
		links := s.newLinker(r, now)
		body := []api.ContextFile{}
		for _, f := range e.visibleFiles(now) {
			media, _, _ := mime.ParseMediaType(f.contentType)
			link := links.file(e, f)
			body = append(body, api.ContextFile{
				ID: f.id, ExecutionID: e.id, AgentID: &e.agent.id, WorkflowID: &e.agent.id,
				FilePath: f.path(), FileName: f.name, FileExt: new(path.Ext(f.name)), FileSize: f.blob.size,
				FileType: new(media), MimeType: new(f.contentType), CreatedAt: f.createdAt,
				DownloadURL: &link, SignedURL: &link,
			})
		}
		return answer(http.StatusOK, body)
	})
}

// ExecutionContextFilesUpload serves POST /agents/v2/executions/{executionId}/context-files.
func (s *service) ExecutionContextFilesUpload(w http.ResponseWriter, r *http.Request, id string) {
	find := func() (*execution, reply) {
		e, refused := s.executionOf(caller(r), id)
		if refused != nil {
			return nil, plain(http.StatusNotFound, "Execution not found.")
		}
		if terminal(e.status) {
			return nil, plain(http.StatusBadRequest, invalidUpload)
		}
		return e, reply{}
	}
	if refused := s.locked(func(time.Time) reply { _, refused := find(); return refused }); refused.status != 0 {
		refused.write(w, r)
		return
	}
	uploads, err := s.receiveForm(r)
	if err != nil {
		plain(http.StatusBadRequest, invalidUpload).write(w, r)
		return
	}
	s.serve(w, r, func(now time.Time) reply {
		e, refused := find() // it may be terminal by now
		if e == nil {
			return refused
		}
		for _, u := range uploads {
			e.addActivity(now, e.addFile(now, "uploads", "user", u.name, u.contentType, u.blob))
		}
		return plain(http.StatusOK, "Files uploaded.")
	})
}

// sharedFile is a file that an agent keeps between executions.
type sharedFile struct {
	id      string // the same for every version
	path    string
	version int
	created time.Time
	by      *execution
	file    *executionFile
}

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

// shareFiles copies a terminal execution's shared directory to the agent. An execution with a
// storage key uses a directory of its own.
func (e *execution) shareFiles(at time.Time) {
	directory := "/shared/"
	if key := e.storageKey(); key != "" {
		directory += strings.Trim(notSlug.ReplaceAllString(strings.ToLower(key), "-"), "-") + "/"
	}
	for _, f := range e.files {
		if f.directory != "shared" {
			continue
		}
		sharedPath := directory + f.name
		i := slices.IndexFunc(e.agent.shared, func(s *sharedFile) bool { return s.path == sharedPath })
		if i < 0 {
			i = len(e.agent.shared)
			e.agent.shared = append(e.agent.shared, &sharedFile{id: newUUID(), path: sharedPath, created: at})
		}
		shared := e.agent.shared[i]
		shared.version, shared.by, shared.file = shared.version+1, e, f
	}
}

// shares returns whether a file is the current version of a shared file, which stays available
// after its execution is deleted or purged.
func (a *agent) shares(fileID string) bool {
	return slices.ContainsFunc(a.shared, func(s *sharedFile) bool { return s.file.id == fileID })
}

// AgentSharedFilesGet serves GET /agents/v2/agents/{agentId}/shared-files.
func (s *service) AgentSharedFilesGet(w http.ResponseWriter, r *http.Request, agentID string) {
	s.serve(w, r, func(now time.Time) reply {
		if !isUUID(agentID) {
			return invalid("agentId", "%q is not a UUID", agentID)
		}
		a, refused := s.agentOf(caller(r), agentID)
		if refused != nil {
			return *refused
		}
		links := s.newLinker(r, now)
		body := api.SharedFilesResponse{Files: []api.SharedFile{}}
		for _, shared := range a.shared {
			f := shared.file
			body.TotalSize += f.blob.size
			body.Files = append(body.Files, api.SharedFile{
				ID: shared.id, AgentID: a.id, FilePath: shared.path, FileName: f.name, FileSize: f.blob.size,
				MimeType: new(f.contentType), Version: shared.version, Checksum: new(f.blob.sha256),
				LastModifiedByExecutionID: &shared.by.id, DownloadURL: links.file(shared.by, f),
				CreatedAt: shared.created, UpdatedAt: shared.by.terminalAt,
			})
		}
		return answer(http.StatusOK, body)
	})
}
