package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

const root = "../../.."

// block is a piece of code in the README.
type block struct{ language, code string }

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

func readmeBlocks(t *testing.T) (text string, blocks []block) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	for _, found := range fence.FindAllStringSubmatch(string(readme), -1) {
		blocks = append(blocks, block{found[1], found[2]})
	}
	require.NotEmpty(t, blocks)
	return string(readme), blocks
}

// flat returns code without its indents.
func flat(code string) string {
	var lines []string
	for line := range strings.Lines(code) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n")
}

func TestEveryGoBlockIsCodeThatCompiles(t *testing.T) {
	t.Parallel()
	var sources string
	for _, file := range []string{"worker.go", "workflow.go", "claim_test.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		sources += flat(string(source)) + "\n"
	}
	_, blocks := readmeBlocks(t)
	count := 0
	for _, b := range blocks {
		if b.language != "go" {
			continue
		}
		count++
		for part := range strings.SplitSeq(flat(b.code), "\n...\n") {
			require.Contains(t, sources, strings.TrimSpace(part))
		}
	}
	require.GreaterOrEqual(t, count, 5)
}

func TestEveryJSONBlockIsAnInput(t *testing.T) {
	t.Parallel()
	_, blocks := readmeBlocks(t)
	for _, b := range blocks {
		if b.language == "json" {
			var in workflows.RunAgentInput
			require.NoError(t, asteroid.DecodeInput([]byte(b.code), &in), b.code)
		}
	}
}

func TestTheUpdateOnTheCommandLineIsAnAnswer(t *testing.T) {
	t.Parallel()
	text, _ := readmeBlocks(t)
	_, command, found := strings.Cut(text, "--name "+workflows.AnswerUpdate)
	require.True(t, found)
	_, command, _ = strings.Cut(command, "--input '")
	input, _, _ := strings.Cut(command, "'")
	var in workflows.AnswerInput
	require.NoError(t, asteroid.DecodeInput([]byte(input), &in), input)
}

func TestEveryPythonBlockIsPython(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	_, blocks := readmeBlocks(t)
	for _, b := range blocks {
		if b.language == "python" {
			command := exec.CommandContext(t.Context(), python, "-c", "import ast, sys; ast.parse(sys.stdin.read())")
			command.Stdin = strings.NewReader(b.code)
			out, err := command.CombinedOutput()
			require.NoError(t, err, "%s", out)
		}
	}
}

func TestLinksAndProgramsExist(t *testing.T) {
	t.Parallel()
	text, _ := readmeBlocks(t)
	for _, link := range regexp.MustCompile(`\]\(([^):]+)\)`).FindAllStringSubmatch(text, -1) {
		path, _, _ := strings.Cut(link[1], "#")
		if path != "" {
			_, err := os.Stat(filepath.Join(root, path))
			require.NoError(t, err)
		}
	}
	for _, command := range regexp.MustCompile(`go run \./(\S+)`).FindAllStringSubmatch(text, -1) {
		require.DirExists(t, filepath.Join(root, strings.Trim(command[1], "`.,")))
	}
}
