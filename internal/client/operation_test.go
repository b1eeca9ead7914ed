package client

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

// An operation's id means nothing to an operator who reads an error.
func TestOperationHasPurposeForEachName(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	named, id := regexp.MustCompile(`(?:Operation\{Name: |op\.Name = ).*`), regexp.MustCompile(`"([A-Z]\w+)"`)
	ids := []string{
		executeOperation(asteroid.DialectAgents), executeOperation(asteroid.DialectWorkflows),
		stageOperation(asteroid.DialectAgents), stageOperation(asteroid.DialectWorkflows),
	}
	for _, file := range sources {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, line := range named.FindAllString(string(source), -1) {
			for _, match := range id.FindAllStringSubmatch(line, -1) {
				ids = append(ids, match[1])
			}
		}
	}
	require.Greater(t, len(ids), len(purposes), "several operations are named twice")
	for _, id := range ids {
		failed := Error{Operation: Operation{Name: id}, Status: 401}
		require.Regexp(t, `^[a-z][a-z' ]+(API key)?: 401 Unauthorized$`, failed.Error())
	}
}
