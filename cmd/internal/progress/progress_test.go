package progress

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/internal/programtest"
)

func TestDisplayRepeatsCountInLines(t *testing.T) {
	t.Parallel()
	var out programtest.Output
	d := newDisplay(&out, time.Millisecond)
	d.Phase("compiling")
	d.Count("1 of 9")
	require.Eventually(t, func() bool { return strings.Count(out.String(), "1 of 9\n") > 1 }, time.Minute, time.Millisecond)
	d.Count("2 of 9")
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "2 of 9\n") }, time.Minute, time.Millisecond)
	d.Stop()
	d.Stop()
	require.Equal(t, 1, strings.Count(out.String(), "compiling\n"))
	require.NotContains(t, out.String(), "\x1b", "no escape sequences where there is no terminal")
}

func TestDisplayPrintsPhaseOnce(t *testing.T) {
	t.Parallel()
	var out programtest.Output
	d := New(&out)
	d.Phase("one")
	d.Phase("two")
	d.Stop()
	d.Phase("three")
	require.Regexp(t, `^ +0\.\ds  one\n +0\.\ds  two\n +0\.\ds  three\n$`, out.String())
}

func TestDisplayCutsLineToTerminal(t *testing.T) {
	t.Parallel()
	var out programtest.Output
	d := &Display{out: &out, began: time.Now(), width: 20}
	d.Count("ööööööööööööööööööööööööö")
	d.draw("|")
	require.Less(t, len(out.String()), 20)
}
