package intent_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/intent"
)

const agentID = "6F9619FF-8B86-D011-B42D-00C04FC964FF"

func request(change func(*asteroid.ExecuteAgentInput)) asteroid.ExecuteAgentInput {
	in := asteroid.ExecuteAgentInput{
		AgentID: agentID, AgentProfileID: "p-1", Inputs: asteroid.Inputs{"claim": 1042, "lines": []any{1.5, "a"}},
	}
	if change != nil {
		change(&in)
	}
	return in
}

// Executions at the service hold digests of earlier versions, and histories depend on which
// requests are equal. So these values never change.
func TestDigestIsFrozen(t *testing.T) {
	t.Parallel()
	digest := intent.Of(request(nil), []string{intent.OfFile(asteroid.FileRef{URI: "s3://claims/1042.pdf?X-Amz-Date=1", Name: "claim.pdf"})})
	require.Equal(t, "v1-54154257f5b3a2b30f2fae24bc089bb9", digest.Identity())
	require.Equal(t, "v1 2a877da80e460a13 97a86d98be42f820 4a13286fc1cb63ec ba3c62476b557713 b04e5ea201bb040c 44136fa355b3678a", digest.String())
	require.Equal(t, "v1-32be3cc35040415ab6340f54e848a830", intent.Of(asteroid.ExecuteAgentInput{AgentID: agentID}, nil).Identity())
}

func TestDigestNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	version := 3
	for name, row := range map[string]struct {
		change           func(*asteroid.ExecuteAgentInput)
		files            []string
		meaning, options []string
	}{
		"nothing":         {},
		"letter case":     {change: func(in *asteroid.ExecuteAgentInput) { in.AgentID = "6f9619ff-8b86-d011-b42d-00c04fc964ff" }},
		"number's type":   {change: func(in *asteroid.ExecuteAgentInput) { in.Inputs["claim"] = 1042.0 }},
		"number's form":   {change: func(in *asteroid.ExecuteAgentInput) { in.Inputs["claim"] = json.Number("1.042E3") }},
		"last digit":      {change: func(in *asteroid.ExecuteAgentInput) { in.Inputs["claim"] = json.Number("9007199254740993") }, meaning: []string{"inputs"}},
		"value's type":    {change: func(in *asteroid.ExecuteAgentInput) { in.Inputs["claim"] = json.Number("1042") }},
		"former name":     {change: func(in *asteroid.ExecuteAgentInput) { in.DynamicData, in.Inputs = in.Inputs, nil }}, //nolint:staticcheck // still accepted
		"empty options":   {change: func(in *asteroid.ExecuteAgentInput) { in.ExecutionOptions = &asteroid.ExecutionOptions{} }},
		"labels":          {change: func(in *asteroid.ExecuteAgentInput) { in.Metadata = map[string]string{"team": "claims"} }},
		"handles":         {change: func(in *asteroid.ExecuteAgentInput) { in.TempFiles = []asteroid.StagedFile{{ID: "f-2"}} }},
		"agent":           {change: func(in *asteroid.ExecuteAgentInput) { in.AgentID = "another" }, meaning: []string{"agentId"}},
		"profile":         {change: func(in *asteroid.ExecuteAgentInput) { in.AgentProfileID = "p-2" }, meaning: []string{"profile"}},
		"pool of that id": {change: func(in *asteroid.ExecuteAgentInput) { in.AgentProfileID, in.AgentProfilePoolID = "", "p-1" }, meaning: []string{"profile"}},
		"inputs":          {change: func(in *asteroid.ExecuteAgentInput) { in.Inputs["claim"] = "1042" }, meaning: []string{"inputs"}},
		"one more input":  {change: func(in *asteroid.ExecuteAgentInput) { in.Inputs["extra"] = nil }, meaning: []string{"inputs"}},
		"files":           {files: []string{"x"}, meaning: []string{"files"}},
		"version":         {change: func(in *asteroid.ExecuteAgentInput) { in.Version = &version }, options: []string{"version"}},
		"head":            {change: func(in *asteroid.ExecuteAgentInput) { in.Head = true }, options: []string{"version"}},
		"options": {change: func(in *asteroid.ExecuteAgentInput) {
			in.ExecutionOptions = &asteroid.ExecutionOptions{SoftTimeoutMins: new(int32(5))}
		}, options: []string{"executionOptions"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after := intent.Of(request(nil), nil), intent.Of(request(row.change), row.files)
			read, ok := intent.Parse(before.String())
			require.True(t, ok)
			meaning, options := read.Differences(after)
			require.Equal(t, row.meaning, meaning)
			require.Equal(t, row.options, options)
			require.Equal(t, len(meaning) == 0, before.Identity() == after.Identity())
		})
	}
	long := func(claim json.Number) string {
		return intent.Of(asteroid.ExecuteAgentInput{Inputs: asteroid.Inputs{"claim": claim}}, nil).Identity()
	}
	require.NotEqual(t, long("9007199254740993"), long("9007199254740992"))
	_, ok := intent.Parse("v2 of a later version")
	require.False(t, ok)
}

func TestFileIdentityIgnoresSignatures(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		one, two string
		same     bool
	}{
		{"https://b.s3.amazonaws.com/a.pdf?versionId=7&X-Amz-Date=1&X-Amz-Signature=ab", "https://b.s3.amazonaws.com/a.pdf?versionId=7&x-amz-signature=cd", true},
		{"https://b.s3.amazonaws.com/a.pdf?versionId=7&X-Amz-Date=1", "https://b.s3.amazonaws.com/a.pdf?versionId=8&X-Amz-Date=1", false},
		{"https://storage.googleapis.com/b/a.pdf?X-Goog-Signature=1", "https://storage.googleapis.com/b/a.pdf", true},
		{"https://c.blob.core.windows.net/b/a.pdf?sv=1&se=2026&sig=x", "https://c.blob.core.windows.net/b/a.pdf?sv=1&se=2027&sig=y", true},
		{"https://c.blob.core.windows.net/b/a.pdf?ss=b&srt=o&scid=1&sig=x", "https://c.blob.core.windows.net/b/a.pdf?ss=bf&srt=co&scid=2&sig=y", true},
		{"https://c.blob.core.windows.net/b/a.pdf?snapshot=1&sig=x", "https://c.blob.core.windows.net/b/a.pdf?snapshot=2&sig=x", false},
		{"https://example.com/a.pdf?se=1", "https://example.com/a.pdf?se=2", false},
		{"https://example.com/a.pdf?token=1#p", "https://example.com/a.pdf?token=1#q", false},
		{"data:text/csv,a?X-Amz-Date=1", "data:text/csv,a?X-Amz-Date=2", false},
	} {
		require.Equal(t, row.same, intent.OfFile(asteroid.FileRef{URI: row.one}) == intent.OfFile(asteroid.FileRef{URI: row.two}), row.one)
	}
	named := func(identity, uri, name string) string {
		return intent.OfFile(asteroid.FileRef{URI: uri, Name: name, Identity: identity})
	}
	require.Equal(t, named("claim 1042", "https://a.example/?t=1", ""), named("claim 1042", "https://b.example/?t=2", ""))
	require.NotEqual(t, named("claim 1042", "https://a.example/", ""), named("claim 1043", "https://a.example/", ""))
	require.NotEqual(t, named("", "https://a.example/", "a.pdf"), named("", "https://a.example/", "b.pdf"))
}

func TestStagedFileKeepsIdentity(t *testing.T) {
	t.Parallel()
	once := intent.OfStaged([]asteroid.StagedFile{{ID: "f-1", Name: "a.pdf", Identity: "i"}})
	require.Equal(t, once, intent.OfStaged([]asteroid.StagedFile{{ID: "f-2", Name: "a.pdf", Identity: "i"}}))
	require.NotEqual(t, intent.OfStaged([]asteroid.StagedFile{{ID: "f-1"}}), intent.OfStaged([]asteroid.StagedFile{{ID: "f-2"}}))
}

// Workflow code makes digests, and may not take a second for it.
func TestDigestTakesTimeInProportionToTheRequest(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"1e308", "-1.5E-300"} {
		items := json.RawMessage("[" + strings.Repeat(number+",", 10_000) + "0]")
		allocated := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				intent.Of(request(func(in *asteroid.ExecuteAgentInput) { in.Inputs["lines"] = items }), nil)
			}
		}).AllocedBytesPerOp()
		require.Less(t, allocated, int64(5<<20), number)
	}
	huge := func(number string) string {
		return intent.Of(request(func(in *asteroid.ExecuteAgentInput) { in.Inputs["claim"] = json.Number(number) }), nil).Identity()
	}
	require.Equal(t, huge("1e308"), huge("10.0E+307"))
	require.NotEqual(t, huge("1e308"), huge("1e307"))
	require.Equal(t, huge("1e30"), huge("1000000000000000000000000000000"))
}
