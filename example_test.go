package asteroid_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"sync"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
)

// The worker has two connections. Inputs choose between them by name.
func ExampleConnectionFromEnv() {
	connections := map[string]asteroid.Connection{
		asteroid.DefaultConnection: asteroid.ConnectionFromEnv(),
		"acme":                     {APIKey: asteroid.APIKeyFromEnv("ACME_ASTEROID_API_KEY")},
	}

	_, err := connections["acme"].APIKey(context.Background())
	fmt.Println(err)
	// Output: environment variable ACME_ASTEROID_API_KEY is not set: put the API key there
}

// The input as a workflow in another language sends it.
func ExampleExecuteAgentInput() {
	softTimeout := int32(30)
	input := asteroid.ExecuteAgentInput{
		AgentID:          "0f8fad5b-d9cb-469f-a165-70867728950e",
		Inputs:           asteroid.Inputs{"claim_number": 1042},
		ExecutionOptions: &asteroid.ExecutionOptions{SoftTimeoutMins: &softTimeout},
	}

	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(input); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {
	//   "agentId": "0f8fad5b-d9cb-469f-a165-70867728950e",
	//   "inputs": {
	//     "claim_number": 1042
	//   },
	//   "executionOptions": {
	//     "softTimeoutMins": 30
	//   }
	// }
}

// A workflow finds a wrong input before it stages files for it.
func ExampleExecuteAgentInput_Validate() {
	input := asteroid.ExecuteAgentInput{
		AgentID:  "0f8fad5b-d9cb-469f-a165-70867728950e",
		Metadata: map[string]string{"temporal_run_id": "mine"},
	}

	err := input.Validate()
	details, _ := asteroid.DetailsOf(err)
	fmt.Println(asteroid.IsInvalidInput(err), details.Field)
	// Output: true metadata.temporal_run_id
}

func ExampleExecution_DecodeResult() {
	execution := asteroid.Execution{
		ExecutionID: "7c9e6679-7425-40de-944b-e07fc1f90ae7",
		Status:      asteroid.StatusCompleted,
		ExecutionResult: &asteroid.ExecutionResult{
			Outcome: "success",
			Result:  json.RawMessage(`{"reference": "F-77", "amount": 250}`),
		},
	}

	var filed struct {
		Reference string `json:"reference"`
		Amount    int    `json:"amount"`
	}
	if err := execution.DecodeResult(&filed); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(filed.Reference, filed.Amount)
	// Output: F-77 250
}

// The status of an execution decides what a caller does next.
func ExampleStatus_Class() {
	for _, status := range []asteroid.Status{"running", "paused_by_agent", "completed", "new"} {
		switch status.Class() {
		case asteroid.ClassPending, asteroid.ClassProcessing, asteroid.ClassPaused:
			fmt.Println(status, "goes on")
		case asteroid.ClassNeedsHuman:
			fmt.Println(status, "needs an answer")
		case asteroid.ClassTerminal:
			fmt.Println(status, "is final")
		case asteroid.ClassUnknown:
			fmt.Println(status, "is unknown to this version")
		}
	}
	// Output:
	// running goes on
	// paused_by_agent needs an answer
	// completed is final
	// new is unknown to this version
}

// An error of this package keeps its type and details when a workflow wraps it.
func ExampleDetailsOf() {
	failed := temporal.NewNonRetryableApplicationError("the execution failed: worker_lost",
		asteroid.ErrorTypeExecutionFailed, nil,
		asteroid.ErrorDetails{ExecutionID: "7c9e6679-7425-40de-944b-e07fc1f90ae7", Reason: "worker_lost"})
	err := fmt.Errorf("file the claim: %w", failed)

	if asteroid.IsExecutionFailed(err) {
		details, _ := asteroid.DetailsOf(err)
		fmt.Println(details.ExecutionID, details.Reason)
	}
	// Output: 7c9e6679-7425-40de-944b-e07fc1f90ae7 worker_lost
}

func ExampleExecutionFileURI() {
	execution := "7c9e6679-7425-40de-944b-e07fc1f90ae7"
	file := asteroid.FileRef{URI: asteroid.ExecutionFileURI(execution, "downloads", "May 50%.pdf")}
	fmt.Println(file.URI)
	// Output: asteroid-execution://7c9e6679-7425-40de-944b-e07fc1f90ae7/downloads/May%2050%25.pdf
}

// The files that one execution left become the files of the next agent.
func ExampleReferences() {
	listed := asteroid.ListFilesResult{Files: []asteroid.OutputFile{{
		FileRef: asteroid.FileRef{
			URI:  asteroid.ExecutionFileURI("7c9e6679-7425-40de-944b-e07fc1f90ae7", "downloads", "a.csv"),
			Name: "a.csv",
		},
		Directory: "downloads",
		Size:      1042,
	}}}

	next := asteroid.StageFilesInput{Files: asteroid.References(listed.Files)}
	fmt.Println(len(next.Files), next.Files[0].Name)
	// Output: 1 a.csv
}

// memoryStore is a Store that keeps its files in memory, for the scheme mem.
type memoryStore struct{ files sync.Map }

func (s *memoryStore) find(uri *url.URL) ([]byte, error) {
	content, ok := s.files.Load(uri.Path)
	if !ok {
		return nil, fs.ErrNotExist // the activity fails with asteroid.NotFound
	}
	return content.([]byte), nil
}

func (s *memoryStore) Stat(_ context.Context, uri *url.URL) (asteroid.FileInfo, error) {
	content, err := s.find(uri)
	return asteroid.FileInfo{Size: int64(len(content))}, err
}

func (s *memoryStore) Open(_ context.Context, uri *url.URL) (io.ReadCloser, error) {
	content, err := s.find(uri)
	return io.NopCloser(bytes.NewReader(content)), err
}

func (s *memoryStore) Write(_ context.Context, uri *url.URL, content io.Reader, _ asteroid.FileInfo) error {
	whole, err := io.ReadAll(content)
	if err == nil { // else nothing appears
		s.files.Store(uri.Path, whole)
	}
	return err
}

// A worker that has this store takes references such as mem:///claims/1042.csv.
func ExampleStore() {
	stores := map[string]asteroid.Store{"mem": new(memoryStore)} // the option Stores of a worker

	ctx, uri := context.Background(), &url.URL{Scheme: "mem", Path: "/claims/1042.csv"}
	_, err := stores["mem"].Stat(ctx, uri)
	fmt.Println(err)
	err = stores["mem"].Write(ctx, uri, bytes.NewReader([]byte("a,b\n1,2\n")), asteroid.FileInfo{})
	if err != nil {
		fmt.Println(err)
	}
	info, err := stores["mem"].Stat(ctx, uri)
	fmt.Println(info.Size, err)
	// Output:
	// file does not exist
	// 8 <nil>
}
