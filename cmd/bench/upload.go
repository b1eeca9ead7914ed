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

// smallSize is what memory is compared with: whatever more a large file takes depends on its size.
const smallSize = 1 << 20

// upload is bench upload.
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

// uploads are the transfers of all rounds, by the way they went.
type uploads struct {
	size                    int64
	raw, curl, stage, small []transfer
}

// measureUploads sends a file each way, round by round: what else the machine does meanwhile meets all of them.
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

	var api apiPlace
	apiServer, err := startServer(ctx, discardingAPIChild, &api)
	if err != nil {
		return nil, err
	}
	defer apiServer.stop()
	var sink string
	sinkServer, err := startServer(ctx, sinkChild, &sink)
	if err != nil {
		return nil, err
	}
	defer sinkServer.stop()
	environment := []string{
		"ASTEROID_BASE_URL=" + api.BaseURL, "ASTEROID_ORGANIZATION_ID=" + api.OrganizationID, "ASTEROID_API_KEY=" + api.APIKey, "ASTEROID_DIALECT=",
	}

	done := &uploads{size: settings.size}
	for round := range settings.rounds {
		for _, way := range []struct {
			transfers *[]transfer
			send      func() (transfer, error)
		}{
			{&done.small, func() (transfer, error) { return startClient(ctx, stageChild, environment, small) }},
			{&done.raw, func() (transfer, error) { return startClient(ctx, copyChild, nil, large, sink) }},
			{&done.curl, func() (transfer, error) { return curlFile(ctx, large, api) }},
			{&done.stage, func() (transfer, error) { return startClient(ctx, stageChild, environment, large) }},
		} {
			sent, err := way.send()
			if errors.Is(err, errNoCurl) {
				continue
			}
			if err != nil {
				return nil, err
			}
			*way.transfers = append(*way.transfers, sent)
		}
		fmt.Fprintf(stderr, "round %d of %d: %s\n", round+1, settings.rounds, done.lastRound())
	}
	if len(done.curl) == 0 {
		fmt.Fprintf(stderr, "%v, so there is nothing to compare with: curlMBps and ratioToCurl are 0\n", errNoCurl)
	}
	return done, nil
}

// fill writes a file that the disk really holds and the page cache, too: what is measured is not the disk.
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
		err = file.Sync() // or it would be written while it is sent
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, file)
	}
	return err
}
