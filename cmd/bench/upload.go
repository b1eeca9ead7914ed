package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const contentName = "content.bin"

// smallSize bounds the small file. The growth of StageFiles' memory is the difference between the
// large file and the small one.
const smallSize = 1 << 20

func upload(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	settings, err := parseUpload(args, stderr)
	if err != nil {
		return err
	}
	report, err := measureUploads(ctx, settings, stderr)
	if err != nil {
		return err
	}
	if settings.json {
		return report.printJSON(stdout)
	}
	report.print(stdout)
	return nil
}

// uploads are the transfers of all rounds, by client.
type uploads struct {
	size  int64      // of the large file, in bytes
	raw   []transfer // plain TCP copies of the large file
	curl  []transfer // of the large file; none if curl is not installed
	stage []transfer // StageFiles with the large file
	small []transfer // StageFiles with the small file
}

// measureUploads sends a file through each client, round by round, so that other load on the
// machine affects all of them alike.
func measureUploads(ctx context.Context, settings uploadSettings, stderr io.Writer) (*uploads, error) {
	dir, err := os.MkdirTemp("", "asteroid-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	large, small := filepath.Join(dir, contentName), filepath.Join(dir, "small.bin")
	if err := errors.Join(fill(ctx, small, min(smallSize, settings.size)), fill(ctx, large, settings.size)); err != nil {
		return nil, err
	}

	var api apiInfo
	apiServer, err := startServer(ctx, discardingAPIChild, &api)
	if err != nil {
		return nil, err
	}
	defer stopServer(apiServer)
	var sink string
	sinkServer, err := startServer(ctx, sinkChild, &sink)
	if err != nil {
		return nil, err
	}
	defer stopServer(sinkServer)
	environment := []string{
		"ASTEROID_BASE_URL=" + api.BaseURL, "ASTEROID_ORGANIZATION_ID=" + api.OrganizationID, "ASTEROID_API_KEY=" + api.APIKey, "ASTEROID_DIALECT=",
	}

	result := &uploads{size: settings.size}
	for round := range settings.rounds {
		for _, client := range []struct {
			transfers *[]transfer
			send      func() (transfer, error)
		}{
			{&result.small, func() (transfer, error) { return startClient(ctx, stageChild, environment, small) }},
			{&result.raw, func() (transfer, error) { return startClient(ctx, copyChild, nil, large, sink) }},
			{&result.curl, func() (transfer, error) { return curlFile(ctx, large, api) }},
			{&result.stage, func() (transfer, error) { return startClient(ctx, stageChild, environment, large) }},
		} {
			sent, err := client.send()
			if errors.Is(err, errNoCurl) {
				continue
			}
			if err != nil {
				return nil, err
			}
			*client.transfers = append(*client.transfers, sent)
		}
		fmt.Fprintf(stderr, "round %d of %d: %s\n", round+1, settings.rounds, result.lastRound())
	}
	if len(result.curl) == 0 {
		fmt.Fprintf(stderr, "%v: curlMBps and ratioToCurl are 0\n", errNoCurl)
	}
	return result, nil
}

// fill writes a random file to the disk and reads it into the page cache, so that the disk does not
// slow the transfers down.
func fill(ctx context.Context, path string, size int64) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	for left := size; left > 0 && err == nil; left -= 64 << 20 {
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(file, rand.Reader, min(left, 64<<20))
		}
	}
	if err == nil {
		err = file.Sync() // otherwise the disk would be busy during the first transfer
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, file)
	}
	return err
}
