package child

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The roles of programs that a lifeline runs. The test binary is each of these programs.
var programRoles = map[string]func(args []string) error{
	// obey serves until an interrupt.
	"obey": func([]string) error {
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt)
		fmt.Println("ready")
		<-interrupted
		return nil
	},
	// linger says its process id and ignores interrupts.
	"linger": func([]string) error {
		fmt.Println(os.Getpid())
		time.Sleep(time.Hour)
		return nil
	},
	// keep runs linger under a lifeline, and says the process ids of the supervisor and of linger.
	"keep": func([]string) error {
		p, err := startSelf("linger")
		if err != nil {
			return err
		}
		line, err := p.AwaitReady(ParentExited())
		if err != nil {
			return err
		}
		fmt.Println(p.Pid(), string(line))
		time.Sleep(time.Hour)
		return nil
	},
}

func startSelf(role string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return StartProgram("server", self, nil, role)
}

func TestStartProgramStopsByInterrupt(t *testing.T) {
	t.Parallel()
	p, err := startSelf("obey")
	require.NoError(t, err)
	line, err := p.AwaitReady(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ready", string(line))
	require.NoError(t, p.ExitError())
	require.NoError(t, p.Stop(time.Minute))
}

func TestStartProgramKillsProgramThatIgnoresInterrupt(t *testing.T) {
	t.Parallel()
	p, err := startSelf("linger")
	require.NoError(t, err)
	line, err := p.AwaitReady(t.Context())
	require.NoError(t, err)
	require.Error(t, p.Stop(time.Millisecond))
	requireDead(t, string(line))
}

func TestStartProgramReportsExit(t *testing.T) {
	t.Parallel()
	p, err := startSelf("fail")
	require.NoError(t, err)
	_, err = p.AwaitReady(t.Context())
	require.EqualError(t, err, "server exited before it was ready: no database")
}

func TestLifelineSaysHowProgramExited(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	for program, state := range map[string]string{
		self:                               "exit status 1",
		filepath.Join(t.TempDir(), "none"): "cannot be started",
	} {
		l, err := NewLifeline(program)
		require.NoError(t, err)
		command, err := l.Command(nil, "fail")
		require.NoError(t, err)
		require.Empty(t, l.State())
		require.Error(t, command.Run())
		<-l.Exited()
		require.Contains(t, l.State(), state)
	}
}

func TestLifelineKilledBeforeItsStartStartsNothing(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	l, err := NewLifeline(self)
	require.NoError(t, err)
	command, err := l.Command(nil, "linger")
	require.NoError(t, err)
	l.Kill()
	out, err := command.Output()
	require.Error(t, err)
	require.Empty(t, out)
}

// A killed process cannot stop what it has started.
func TestProgramDiesWithKilledParentOrSupervisor(t *testing.T) {
	t.Parallel()
	for killed, kill := range map[string]func(t *testing.T, parent *Process, supervisor string){
		"parent": func(_ *testing.T, parent *Process, _ string) { parent.Kill() },
		"supervisor": func(t *testing.T, _ *Process, supervisor string) {
			if runtime.GOOS != "linux" {
				t.Skip("only Linux kills a child with its parent")
			}
			pid, err := strconv.Atoi(supervisor)
			require.NoError(t, err)
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		},
	} {
		t.Run(killed, func(t *testing.T) {
			t.Parallel()
			parent, err := Start("parent", nil, "keep")
			require.NoError(t, err)
			defer parent.Kill()
			line, err := parent.AwaitReady(t.Context())
			require.NoError(t, err)
			supervisor, program, _ := strings.Cut(string(line), " ")
			kill(t, parent, supervisor)
			requireDead(t, program)
			requireDead(t, supervisor)
		})
	}
}

func TestNewLifelineRequiresSupervise(t *testing.T) {
	supervisorReady = false
	defer func() { supervisorReady = true }()
	_, err := NewLifeline("none")
	require.ErrorContains(t, err, "must call child.Supervise first")
}

// requireDead waits until the process has exited. A zombie has.
func requireDead(t *testing.T, pidText string) {
	t.Helper()
	pid, err := strconv.Atoi(pidText)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile(filepath.Join("/proc", pidText, "stat"))
		return syscall.Kill(pid, 0) != nil || err == nil && strings.Contains(string(stat), ") Z ")
	}, time.Minute, 10*time.Millisecond)
}
