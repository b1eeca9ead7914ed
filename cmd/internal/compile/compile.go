// Package compile compiles programs of this module on their first use, with a live count. Programs
// that start them thus stay light.
package compile

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
	"time"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
)

// Target is a program of this module.
type Target struct {
	Directory string // below cmd, such as "devserver"
	What      string // such as "a Temporal server"
	Why       string // why it is needed, such as ", as asked"
	Otherwise string // what to do where it cannot be compiled
}

// Progress shows how far the compilation is. It is called from one goroutine at a time.
type Progress interface {
	// Phase says what begins now.
	Phase(text string)
	// Count says how far the phase is. It is called often.
	Count(text string)
}

// Program returns the path of the target's program, after it has compiled what has changed since
// the last time. It needs the go command and the source from which this program was compiled.
func Program(ctx context.Context, target Target, progress Progress) (string, error) {
	_, file, _, _ := runtime.Caller(0)
	source := filepath.Join(filepath.Dir(file), "..", "..", filepath.FromSlash(target.Directory))
	if _, err := os.Stat(filepath.Join(source, "main.go")); err != nil || !filepath.IsAbs(source) {
		return "", fmt.Errorf("there is no source here from which to compile %s: %s", target.What, target.Otherwise)
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return "", fmt.Errorf("there is no go command on the PATH to compile %s: %s", target.What, target.Otherwise)
	}
	directory, err := CacheDirectory()
	if err != nil {
		return "", err
	}
	program := filepath.Join(directory, strings.ReplaceAll(target.Directory, "/", "-"))
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	c := compilation{Target: target, goCommand: goCommand, source: source, progress: progress}
	return program, c.run(ctx, program)
}

// CacheDirectory returns the directory of programs that are compiled or downloaded on their first
// use.
func CacheDirectory() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for programs: %w", err)
	}
	directory := filepath.Join(cache, "temporal-asteroid")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return "", fmt.Errorf("make a directory for programs: %w", err)
	}
	return directory, nil
}

// compilation compiles the target in the source directory.
type compilation struct {
	Target
	goCommand, source string
	progress          Progress
}

func (c *compilation) run(ctx context.Context, program string) error {
	c.progress.Count("looking for what is to be compiled of " + c.What)
	stale, err := c.stale(ctx)
	if err != nil {
		return err
	}
	if stale > 1 { // the program itself always counts
		c.progress.Phase(fmt.Sprintf("compiling %s%s: %s the first time, seconds later", c.What, c.Why, estimate(stale)))
	}
	compiled := 0
	return c.goRun(ctx, io.Discard, func(line string) {
		switch {
		case strings.HasPrefix(line, "go: downloading "):
			c.progress.Count(line)
		case strings.HasSuffix(line, "/cmd/"+c.Directory):
			c.progress.Count("linking " + c.What)
		case !strings.ContainsAny(line, " \t"): // a package, before it is compiled
			compiled++
			c.progress.Count(fmt.Sprintf("compiling %s: %d of %d packages", c.What, compiled, stale))
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
			c.progress.Count(fmt.Sprintf("downloading the source of %s: module %d", c.What, downloaded))
		}
	}, "list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", ".")
	return bytes.Count(packages.Bytes(), []byte("\n")), err
}

// stopTimeout bounds the time that an interrupted go command takes to remove its files.
const stopTimeout = 10 * time.Second

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
	defer context.AfterFunc(ctx, func() { lifeline.Stop(stopTimeout) })()
	var output child.Tail
	for lines := bufio.NewScanner(io.TeeReader(stderr, &output)); lines.Scan(); {
		report(lines.Text())
	}
	err = command.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if exited := new(exec.ExitError); errors.As(err, &exited) {
		return fmt.Errorf("compile %s in %s: %w: %s; %s", c.What, c.source, err, lastLine(output.Text()), c.Otherwise)
	}
	return err
}

func lastLine(text string) string { return text[strings.LastIndexByte(text, '\n')+1:] }
