package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// filesWorker runs the activities as users do, on a Temporal server.
type filesWorker struct {
	dir        string
	agentID    string
	client     client.Client
	stop       func()
	heartbeats *atomic.Int64 // bytes
}

const filesQueue = "files"

func newFilesWorker(dir string, api filesAPIInfo, temporal string) (*filesWorker, error) {
	w := &filesWorker{dir: dir, agentID: api.AgentID, heartbeats: &atomic.Int64{}}
	count := func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		if beat, ok := request.(*workflowservice.RecordActivityTaskHeartbeatRequest); ok {
			w.heartbeats.Add(int64(proto.Size(beat)))
		}
		return invoke(ctx, method, request, reply, conn, options...)
	}
	var err error
	if w.client, err = client.Dial(client.Options{
		HostPort: temporal, Namespace: waitNamespace, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(count)}},
	}); err != nil {
		return nil, err
	}
	plugin, err := worker.NewPlugin(worker.Options{
		Connections: map[string]asteroid.Connection{asteroid.DefaultConnection: {APIKey: asteroid.StaticAPIKey(api.APIKey), BaseURL: api.BaseURL}},
		FileRoots:   []string{dir}, OutputRoots: []string{dir}, SettleInterval: time.Millisecond, // plain code does not wait either
	})
	if err != nil {
		return nil, err
	}
	running := sdkworker.New(w.client, filesQueue, sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})
	running.RegisterWorkflow(stageBatch)
	running.RegisterWorkflow(collectFiles)
	w.stop = func() { running.Stop(); w.client.Close() }
	return w, running.Start()
}

// stageBatch stages files.
func stageBatch(ctx workflow.Context, refs []asteroid.FileRef) error {
	_, err := workflows.StageFiles(ctx, asteroid.StageFilesInput{Files: refs})
	return err
}

// collectFiles lists and saves an execution's files, and returns what it has saved.
func collectFiles(ctx workflow.Context, executionID, destination string) ([]asteroid.OutputFile, error) {
	selection := asteroid.FileSelection{Manifest: true}
	if _, err := workflows.ListFiles(ctx, asteroid.ListFilesInput{ExecutionID: executionID, FileSelection: selection}); err != nil {
		return nil, err
	}
	saved, err := workflows.SaveFiles(ctx, asteroid.SaveFilesInput{ExecutionID: executionID, FileSelection: selection, Destination: destination})
	if err != nil {
		return nil, err
	}
	return saved.Files, nil
}

func (w *filesWorker) workflow(ctx context.Context, result any, function any, args ...any) error {
	run, err := w.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: filesQueue}, function, args...)
	if err != nil {
		return err
	}
	return run.Get(ctx, result)
}

// execute runs the agent that writes the files, and returns its execution's id.
func (w *filesWorker) execute(ctx context.Context) (string, error) {
	var result workflows.RunAgentResult
	err := w.workflow(ctx, &result, workflows.RunAgentName, workflows.RunAgentInput{AgentID: w.agentID})
	return result.ExecutionID, err
}

// run stages the files, lists and saves those of the execution, and stages the saved ones.
func (w *filesWorker) run(ctx context.Context, executionID string, sent []string) error {
	refs := make([]asteroid.FileRef, len(sent))
	for i, path := range sent {
		refs[i].URI = fileURI(path)
	}
	for first := 0; first < len(refs); first += asteroid.MaxFiles {
		if err := w.workflow(ctx, nil, stageBatch, refs[first:min(first+asteroid.MaxFiles, len(refs))]); err != nil {
			return err
		}
	}
	var saved []asteroid.OutputFile
	if err := w.workflow(ctx, &saved, collectFiles, executionID, fileURI(w.dir)); err != nil {
		return err
	}
	if len(saved) != 1 || saved[0].Count != len(sent) { // few enough for history
		return w.workflow(ctx, nil, stageBatch, asteroid.References(saved))
	}
	for first := 0; first < len(sent); first += asteroid.MaxFiles {
		part := asteroid.ManifestPart(saved[0].FileRef, first, asteroid.MaxFiles)
		if err := w.workflow(ctx, nil, stageBatch, []asteroid.FileRef{part}); err != nil {
			return err
		}
	}
	return nil
}

func fileURI(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}

// plainFiles does the same with plain code: four files at a time, without Temporal.
type plainFiles struct {
	api filesAPIInfo
	dir string
}

func (p *plainFiles) run(ctx context.Context, executionID string, sent []string) error {
	if err := p.send(ctx, sent); err != nil {
		return err
	}
	var listed struct {
		Directories map[string][]struct {
			ID   string `json:"id"`
			Path string `json:"filePath"`
		} `json:"directories"`
	}
	response, err := p.do(ctx, http.MethodGet, "/agents/v2/executions/"+executionID+"/files", nil, "")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(response, &listed); err != nil {
		return err
	}
	found := listed.Directories["downloads"]
	saved := make([]string, len(found))
	if err := parallel.Each(ctx, 4, len(found), func(ctx context.Context, i int) error {
		saved[i] = filepath.Join(p.dir, filepath.FromSlash(strings.TrimPrefix(found[i].Path, "/")))
		content, err := p.do(ctx, http.MethodGet, "/agents/v2/executions/"+executionID+"/files/"+found[i].ID+"/download", nil, "")
		if err != nil {
			return err
		}
		return writeSynced(saved[i], content)
	}); err != nil {
		return err
	}
	if len(saved) != len(sent) {
		return fmt.Errorf("%d of %d files are listed", len(saved), len(sent))
	}
	return p.send(ctx, saved)
}

// writeSynced writes a file that survives a power cut, as SaveFiles does.
func writeSynced(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Write(content); err != nil {
		return err
	}
	return file.Sync()
}

func (p *plainFiles) send(ctx context.Context, paths []string) error {
	return parallel.Each(ctx, 4, len(paths), func(ctx context.Context, i int) error {
		content, err := os.ReadFile(paths[i])
		if err != nil {
			return err
		}
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("files", filepath.Base(paths[i]))
		if err != nil {
			return err
		}
		_, _ = part.Write(content) // a bytes.Buffer never fails
		_ = form.Close()
		_, err = p.do(ctx, http.MethodPost, "/agents/v2/temp-files/"+p.api.OrganizationID, &body, form.FormDataContentType())
		return err
	})
}

// plainClient follows download links without the API key, as the service demands.
var plainClient = &http.Client{
	Transport: &http.Transport{MaxIdleConnsPerHost: 4},
	CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		r.Header.Del("X-Asteroid-Agents-Api-Key")
		return nil
	},
}

func (p *plainFiles) do(ctx context.Context, method, path string, body io.Reader, contentType string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, p.api.BaseURL+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Asteroid-Agents-Api-Key", p.api.APIKey)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := plainClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	return content, err
}
