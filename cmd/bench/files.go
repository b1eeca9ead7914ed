package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// benchedFileSize is the size of each file in bytes.
const benchedFileSize = 1 << 10

// filesReport is the result of bench files. Programs parse its members, so they do not change.
type filesReport struct {
	Files           int     `json:"files"`
	Seconds         float64 `json:"seconds"`
	PlainSeconds    float64 `json:"plainSeconds"`
	Ratio           float64 `json:"ratio"`
	HeartbeatBytes  int64   `json:"heartbeatBytes"`
	MemoryGrowthMiB float64 `json:"memoryGrowthMiB"`
}

// files measures how long the activities take for many small files, next to plain code: they send
// them, list and save those of an agent, and send the saved ones.
func files(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench files", flag.ContinueOnError)
	count := flags.Int("files", asteroid.MaxManifestFiles, "send and save so `many` files of 1 KiB")
	asJSON := flags.Bool("json", false, "print one JSON object at the end; progress goes to the standard error output")
	if err := program.ParseFlags(flags, args, stderr, "Send, list, save and hand over many small files through the activities and with plain code, and compare."); err != nil {
		return err
	}
	if *count < 1 || *count > asteroid.MaxManifestFiles {
		return program.UsageErrorf("--files %d: give a number from 1 to %d", *count, asteroid.MaxManifestFiles)
	}
	report, err := measureFiles(ctx, *count, stderr)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(stdout).Encode(report)
	}
	_, _ = fmt.Fprintf(stdout, "%d files of 1 KiB: %.1f s through the activities, %.1f s with plain code, %.2f times as long.\n"+
		"Heartbeats had %.2f MiB, and memory grew by %.1f MiB.\n", report.Files, report.Seconds, report.PlainSeconds, report.Ratio,
		float64(report.HeartbeatBytes)/mib, report.MemoryGrowthMiB)
	return nil
}

func measureFiles(ctx context.Context, count int, stderr io.Writer) (report filesReport, err error) {
	dir, err := os.MkdirTemp("", "asteroid-bench-")
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sent, err := writeBenchedFiles(filepath.Join(dir, "sent"), count)
	if err != nil {
		return report, err
	}
	var api filesAPIInfo
	apiServer, err := startServer(ctx, filesAPIChild, &api, strconv.Itoa(count))
	if err != nil {
		return report, err
	}
	defer stopServer(apiServer)
	var temporal string
	temporalServer, err := startServer(ctx, temporalChild, &temporal)
	if err != nil {
		return report, err
	}
	defer stopServer(temporalServer)

	ours, err := newFilesWorker(dir, api, temporal)
	if err != nil {
		return report, err
	}
	defer ours.stop()
	executionID, err := ours.execute(ctx)
	if err != nil {
		return report, err
	}
	before := peakMemory()
	began := time.Now()
	if err := ours.run(ctx, executionID, sent); err != nil {
		return report, err
	}
	report = filesReport{
		Files: count, Seconds: time.Since(began).Seconds(), HeartbeatBytes: ours.heartbeats.Load(),
		MemoryGrowthMiB: rounded(float64(peakMemory()-before)/mib, 1),
	}
	_, _ = fmt.Fprintf(stderr, "the activities took %.1f s\n", report.Seconds)

	plain := &plainFiles{api: api, dir: filepath.Join(dir, "plain")}
	began = time.Now()
	if err := plain.run(ctx, executionID, sent); err != nil {
		return report, err
	}
	report.PlainSeconds = time.Since(began).Seconds()
	report.Seconds, report.Ratio = rounded(report.Seconds, 2), rounded(ratio(report.Seconds, report.PlainSeconds), 2)
	report.PlainSeconds = rounded(report.PlainSeconds, 2)
	return report, nil
}

// benchedPath returns the path of a file, in deep folders with names that are not ASCII.
func benchedPath(i int) string {
	return fmt.Sprintf("Отчёты/%d/Größe/%d/файл-%d.txt", i/1000, i/100%10, i)
}

func benchedContent(i int) []byte {
	return []byte(strings.Repeat(fmt.Sprintf("%08d", i), benchedFileSize/8))
}

// writeBenchedFiles writes the files to send and returns their paths.
func writeBenchedFiles(dir string, count int) ([]string, error) {
	paths := make([]string, count)
	for i := range paths {
		paths[i] = filepath.Join(dir, filepath.FromSlash(benchedPath(i)))
		if err := os.MkdirAll(filepath.Dir(paths[i]), 0o750); err != nil {
			return nil, err
		}
		if err := os.WriteFile(paths[i], benchedContent(i), 0o600); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

const filesAPIChild = "bench-files-api"

type filesAPIInfo struct {
	apiInfo
	AgentID string `json:"agentId"`
}

// serveFilesAPI serves a fake API that discards uploads, with an agent that writes args[0] files.
func serveFilesAPI(args []string) error {
	count, err := strconv.Atoi(strings.Join(args, ""))
	if err != nil {
		return err
	}
	api, err := testsuite.StartAPI(testsuite.WithDiscardedUploads())
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }() // problems have failed the clients
	agentID := api.ServeAgent("Files", func(testsuite.Run) []testsuite.Step {
		var steps []testsuite.Step
		for i := range count {
			name := strings.ReplaceAll(benchedPath(i), "/", "-") // the fake's agents have no folders
			steps = append(steps, testsuite.WriteFile("downloads", name, "text/plain", benchedContent(i)))
		}
		return append(steps, testsuite.Complete("success", "", nil))
	})
	return serveUntilParentExits(filesAPIInfo{apiInfo{api.BaseURL(), api.OrganizationID(), api.APIKey()}, agentID})
}
