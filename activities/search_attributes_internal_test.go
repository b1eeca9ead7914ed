package activities

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/attributes"
)

// attributesServer is a Temporal server that has search attributes, or fails to list them.
type attributesServer struct {
	types attributes.Types
	err   error
	lists int
}

func (s *attributesServer) list(context.Context, sdkclient.Client, string) (attributes.Types, error) {
	s.lists++
	return s.types, s.err
}

// newAttributesFixture returns activities of which workflows may set the default search attributes.
func newAttributesFixture(t *testing.T, server *attributesServer, change ...func(*Options)) (*watchFixture, *bytes.Buffer) {
	t.Helper()
	f := newWatchFixture(t, append(change, func(o *Options) { o.Events = asteroid.EventsPoll })...)
	f.namespaces.list = server.list
	logged := &bytes.Buffer{}
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.NewTextHandler(logged, nil))))
	f.env = suite.NewTestActivityEnvironment()
	f.Register(f.env)
	return f, logged
}

func defaultAttributes(o *Options) { o.SearchAttributes = asteroid.DefaultSearchAttributes() }

const keyword = enums.INDEXED_VALUE_TYPE_KEYWORD

func TestExecuteAgentFindsSearchAttributesOfNamespace(t *testing.T) {
	t.Parallel()
	all := attributes.Types{"AsteroidAgent": keyword, "AsteroidStatus": keyword, "AsteroidQuestion": keyword, "Asks": keyword}
	for name, row := range map[string]struct {
		server *attributesServer
		asks   string // the input's own attribute
		want   asteroid.SearchAttributes
		warns  string
	}{
		"all":             {&attributesServer{types: all}, "", asteroid.SearchAttributes{Agent: "AsteroidAgent", Status: "AsteroidStatus", Question: "AsteroidQuestion"}, ""},
		"none":            {&attributesServer{types: attributes.Types{}}, "", asteroid.SearchAttributes{}, "search-attribute create --namespace default-test-namespace --name AsteroidAgent"},
		"one of its own":  {&attributesServer{types: all}, "Asks", asteroid.SearchAttributes{Agent: "AsteroidAgent", Status: "AsteroidStatus", Question: "Asks"}, ""},
		"one it lacks":    {&attributesServer{types: all}, "Nowhere", asteroid.SearchAttributes{Agent: "AsteroidAgent", Status: "AsteroidStatus"}, "Nowhere"},
		"cannot be known": {&attributesServer{types: all, err: errors.New("not allowed")}, "Asks", asteroid.SearchAttributes{}, "not allowed"},
		"another type": {&attributesServer{types: attributes.Types{"AsteroidAgent": enums.INDEXED_VALUE_TYPE_TEXT, "AsteroidStatus": keyword}}, "",
			asteroid.SearchAttributes{Status: "AsteroidStatus"}, "AsteroidAgent with the type Text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, logged := newAttributesFixture(t, row.server, defaultAttributes)
			in := asteroid.ExecuteAgentInput{Internal: asteroid.ExecuteAgentInternal{QuestionSearchAttribute: row.asks}}
			for range 3 {
				require.Equal(t, &row.want, f.execute(t, in).SearchAttributes)
			}
			require.Equal(t, 1, row.server.lists)
			if row.warns == "" {
				require.NotContains(t, logged.String(), "WARN")
			} else {
				require.Contains(t, logged.String(), row.warns)
				require.Equal(t, 1, strings.Count(logged.String(), "WARN"))
			}
		})
	}
}

func TestExecuteAgentFindsSearchAttributesThatAreAddedLater(t *testing.T) {
	t.Parallel()
	server := &attributesServer{err: errors.New("down")}
	f, _ := newAttributesFixture(t, server, defaultAttributes)
	f.now = f.clock.Now
	require.Equal(t, &asteroid.SearchAttributes{}, f.execute(t, asteroid.ExecuteAgentInput{}).SearchAttributes)
	server.err, server.types = nil, attributes.Types{"AsteroidStatus": keyword}
	f.clock.Advance(time.Minute)
	require.Equal(t, &asteroid.SearchAttributes{Status: "AsteroidStatus"}, f.execute(t, asteroid.ExecuteAgentInput{}).SearchAttributes)
	server.err = errors.New("down again")
	f.clock.Advance(time.Hour)
	require.Equal(t, &asteroid.SearchAttributes{Status: "AsteroidStatus"}, f.execute(t, asteroid.ExecuteAgentInput{}).SearchAttributes)
}

func TestExecuteAgentLooksForNoSearchAttributesByDefault(t *testing.T) {
	t.Parallel()
	server := &attributesServer{}
	f, _ := newAttributesFixture(t, server)
	require.Nil(t, f.execute(t, asteroid.ExecuteAgentInput{}).SearchAttributes)
	require.Zero(t, server.lists)
}

func TestNewRefusesEqualSearchAttributes(t *testing.T) {
	t.Parallel()
	_, err := New(Options{
		Connections:      map[string]asteroid.Connection{"default": asteroid.ConnectionFromEnv()},
		SearchAttributes: asteroid.SearchAttributes{Agent: "A", Question: "A"},
	})
	require.ErrorContains(t, err, "same name")
}
