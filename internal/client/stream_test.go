package client

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// readNames returns the names in the lists of the member directories, as EachFile reads them.
func readNames(in io.Reader) (names []string, err error) {
	s := newStream(in)
	err = s.members("directories", func() error {
		return s.elements('{', func(directory string) error {
			return s.elements('[', func(string) error {
				item, err := s.object()
				if item != nil {
					names = append(names, directory+"/"+item.text("name"))
				}
				return err
			})
		})
	})
	return names, err
}

func TestStreamReadsListsTolerantly(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for response, names := range map[string][]string{
		`{}`: nil, ` { "directories" : { } } `: nil, `{"directories":null}`: nil, `{"directories":[1]}`: nil, `{"directories":{"d":7,"e":[]}}`: nil,
		`{"directories":{"d":[{"name":"a"},{"name":"b]}\\\""} , 7,null,[{"name":"x"}],{"name":"c"}]}}`:       {"d/a", `d/b]}\"`, "d/c"},
		`{"other":` + deep + `,"directories":{"d":[{"name":"a","x":` + deep + `},{"name":"b"}]},"more":"]"}`: {"d/a", "d/b"},
		`{"directories":{"d":[{"name":"a","x":nonsense},{"name":"b"}],"\u00e9":[{"name":"c"}]},"n":-1.5e3}`:  {"d/b", "é/c"},
		`{"directories":{"d":[{"name":"` + strings.Repeat("n", maxStreamedItem) + `"},{"name":"b"}]}}`:       {"d/b"},
	} {
		for _, in := range []io.Reader{strings.NewReader(response), iotest.OneByteReader(strings.NewReader(response))} {
			found, err := readNames(in)
			require.NoError(t, err, "%.200s", response)
			require.Equal(t, names, found)
		}
	}
}

func TestStreamRejectsWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	whole := `{"a":[1,"x"],"directories":{"d":[{"name":"a"},{"name":"b"}]},"b":true}`
	for cut := range len(whole) {
		_, err := readNames(strings.NewReader(whole[:cut]))
		require.ErrorIs(t, err, errNotJSON, whole[:cut])
	}
	for _, response := range []string{`[]`, `"x"`, whole + whole, whole + "]", `{"a" 1}`, `{1:2}`, `{"a":}`, `{"a":1,}`, `{"directories":{"d":[{"name":"a"} {"name":"b"}]}}`, `<html>`} {
		_, err := readNames(strings.NewReader(response))
		require.ErrorIs(t, err, errNotJSON, response)
	}
	_, err := readNames(io.MultiReader(strings.NewReader(whole[:20]), iotest.ErrReader(io.ErrClosedPipe)))
	require.ErrorIs(t, err, io.ErrClosedPipe)
	_, err = readNames(&boundedReader{strings.NewReader(whole), 20})
	require.ErrorIs(t, err, ErrTooLarge)
}

// FuzzStream checks that a stream reads every JSON object, and the same from any chunks.
func FuzzStream(f *testing.F) {
	for _, response := range []string{`{}`, `{"directories":{"d":[{"name":"a"},{"name":"b\u0000"}],"e":[7]},"x":[[]]}`, `{"directories":{"d":[{"name":"a"}`, `[`} {
		f.Add(response)
	}
	f.Fuzz(func(t *testing.T, response string) {
		names, err := readNames(strings.NewReader(response))
		again, errAgain := readNames(iotest.OneByteReader(strings.NewReader(response)))
		require.Equal(t, err, errAgain)
		require.Equal(t, names, again)
		if strings.HasPrefix(response, "{") && json.Valid([]byte(response)) {
			require.NoError(t, err)
		}
	})
}
