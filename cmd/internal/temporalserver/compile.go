package temporalserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
)

// compileDevServer returns the path of cmd/devserver, after it has compiled what has changed since
// the last time. why says why there must be one.
func compileDevServer(ctx context.Context, why string, progress Progress) (string, error) {
	source, err := devServerSource()
	if err != nil {
		return "", err
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return "", fmt.Errorf("there is no go command on the PATH to compile a Temporal server: %s", installAdvice)
	}
	directory, err := cacheDirectory()
	if err != nil {
		return "", err
	}
	program := filepath.Join(directory, "devserver")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	c := compilation{goCommand: goCommand, source: source, progress: progress}
	if err := c.run(ctx, why, program); err != nil {
		return "", err
	}
	return program, nil
}

const installAdvice = "install the Temporal CLI (https://docs.temporal.io/cli), or let the SDK download it with --server download"

// devServerSource returns the directory of cmd/devserver, from which this program was compiled.
func devServerSource() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	source := filepath.Join(filepath.Dir(file), "..", "..", "devserver")
	if _, err := os.Stat(filepath.Join(source, "main.go")); err != nil || !filepath.IsAbs(source) {
		return "", fmt.Errorf("there is no source here from which to compile a Temporal server: %s", installAdvice)
	}
	return source, nil
}

// compilation compiles the program in the source directory.
type compilation struct {
	goCommand, source string
	progress          Progress
}

func (c *compilation) run(ctx context.Context, why, program string) error {
	c.progress.Count("looking for what is to be compiled of a Temporal server")
	stale, err := c.stale(ctx)
	if err != nil {
		return err
	}
	if stale > 1 { // the program itself always counts
		c.progress.Phase(fmt.Sprintf("compiling a Temporal server, %s: %s the first time, seconds later", why, estimate(stale)))
	}
	compiled := 0
	return c.goRun(ctx, io.Discard, func(line string) {
		switch {
		case strings.HasPrefix(line, "go: downloading "):
			c.progress.Count(line)
		case strings.HasSuffix(line, "/cmd/devserver"):
			c.progress.Count("linking the Temporal server")
		case !strings.ContainsAny(line, " \t"): // a package, before it is compiled
			compiled++
			c.progress.Count(fmt.Sprintf("compiling a Temporal server: %d of %d packages", compiled, stale))
		}
	}, "build", "-v", "-ldflags=-s -w", "-o", program, ".")
}

// estimate says how long so many packages take to compile on two cores.
func estimate(packages int) string {
	const perMinute = 300
	if minutes := (packages + perMinute - 1) / perMinute; minutes > 1 {
		return fmt.Sprintf("about %d minutes", minutes)
	}
	return "up to a minute"
}

// stale returns how many packages are to be compiled. It downloads what they need.
func (c *compilation) stale(ctx context.Context) (int, error) {
	downloaded := 0
	var packages bytes.Buffer
	err := c.goRun(ctx, &packages, func(line string) {
		if strings.HasPrefix(line, "go: downloading ") {
			downloaded++
			c.progress.Count(fmt.Sprintf("downloading the source of a Temporal server: module %d", downloaded))
		}
	}, "list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", ".")
	return bytes.Count(packages.Bytes(), []byte("\n")), err
}

// goRun runs the go command on the source, under a supervisor: what it starts ends with this
// process. Each line of its standard error output goes to report.
func (c *compilation) goRun(ctx context.Context, stdout io.Writer, report func(line string), args ...string) error {
	lifeline, err := child.NewLifeline(c.goCommand)
	if err != nil {
		return err
	}
	defer lifeline.Kill()
	// The user's own flags could change what is compiled. The workspace and the module agree.
	command, err := lifeline.Command([]string{"GOFLAGS=-mod=readonly", "GOWORK=off"}, args...)
	if err != nil {
		return err
	}
	command.Dir, command.Stdout = c.source, stdout
	stderr, err := command.StderrPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", c.goCommand, err)
	}
	defer context.AfterFunc(ctx, lifeline.Kill)()
	var output child.Tail
	for lines := bufio.NewScanner(io.TeeReader(stderr, &output)); lines.Scan(); {
		report(lines.Text())
	}
	err = command.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if exited := new(exec.ExitError); errors.As(err, &exited) {
		return fmt.Errorf("compile a Temporal server in %s: %w: %s; %s", c.source, err, lastLine(output.Text()), installAdvice)
	}
	return err
}

func lastLine(text string) string { return text[strings.LastIndexByte(text, '\n')+1:] }
