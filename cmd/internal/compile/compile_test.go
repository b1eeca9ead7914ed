package compile

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
)

func TestMain(m *testing.M) {
	if code, isSupervisor := child.Supervise(os.Args[1:]); isSupervisor {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// recorder records the progress.
type recorder struct{ phases, counts []string }

func (r *recorder) Phase(text string) { r.phases = append(r.phases, text) }
func (r *recorder) Count(text string) { r.counts = append(r.counts, text) }

func (r *recorder) all() string { return strings.Join(append(r.phases, r.counts...), "\n") }

func TestProgramSaysWhatIsMissing(t *testing.T) {
	target := Target{Directory: "none", What: "a server", Otherwise: "ask somebody"}
	_, err := Program(t.Context(), target, &recorder{})
	require.EqualError(t, err, "there is no source here from which to compile a server: ask somebody")
	target.Directory = "devserver"
	t.Setenv("PATH", t.TempDir())
	_, err = Program(t.Context(), target, &recorder{})
	require.EqualError(t, err, "there is no go command on the PATH to compile a server: ask somebody")
}

// TestCompilationCountsPackages compiles a program of two packages.
func TestCompilationCountsPackages(t *testing.T) {
	goCommand, err := exec.LookPath("go")
	require.NoError(t, err)
	root := t.TempDir()
	module := fmt.Sprint("example.com/m", time.Now().UnixNano()) // compiled by nobody yet
	source := filepath.Join(root, "cmd", "devserver")
	write := func(path, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write(filepath.Join(root, "go.mod"), "module "+module+"\n\ngo 1.26\n")
	write(filepath.Join(root, "cmd", "cmd.go"), "package cmd\n")
	write(filepath.Join(source, "main.go"), "package main\n\nimport _ \""+module+"/cmd\"\n\nfunc main() {}\n")
	t.Setenv("GOFLAGS", "-mod=vendor -tags=bogus") // the user's own do not count

	var progress recorder
	target := Target{Directory: "devserver", What: "a Temporal server", Why: ", as asked", Otherwise: "ask somebody"}
	c := compilation{Target: target, goCommand: goCommand, source: source, progress: &progress}
	program := filepath.Join(root, "program")
	require.NoError(t, c.run(t.Context(), program))
	require.FileExists(t, program)
	require.Equal(t, []string{"compiling a Temporal server, as asked: up to a minute the first time, seconds later"}, progress.phases)
	require.Contains(t, progress.counts, "compiling a Temporal server: 1 of 2 packages")
	require.Contains(t, progress.counts, "linking a Temporal server")

	progress = recorder{}
	require.NoError(t, c.run(t.Context(), program))
	require.Equal(t, "looking for what is to be compiled of a Temporal server", progress.all())

	write(filepath.Join(source, "main.go"), "package main\n\nfunc main() { none() }\n")
	err = c.run(t.Context(), program)
	require.ErrorContains(t, err, "main.go:3:15: undefined: none; ask somebody")
	require.NotContains(t, err.Error(), "\n")

	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	require.ErrorIs(t, c.run(interrupted, program), context.Canceled)
}

func TestEstimate(t *testing.T) {
	for packages, want := range map[int]string{1: "up to a minute", 300: "up to a minute", 301: "about 2 minutes", 1794: "about 6 minutes"} {
		require.Equal(t, want, estimate(packages))
	}
}
