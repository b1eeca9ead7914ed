package intent

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/temporal-asteroid/asteroid"
)

// Digest has a short digest of each member of a request. It is written into the metadata of the
// execution, so that a later request can tell what differs.
type Digest struct{ agent, profile, inputs, files, version, options string }

// version1 begins every text that depends on how digests are made.
const version1 = "v1"

// Of returns the digest of a request. files are the identities of its files, see [OfFile] and
// [OfStaged]. It ignores the files in the request itself.
func Of(in asteroid.ExecuteAgentInput, files []string) Digest {
	inputs := in.Inputs
	if len(inputs) == 0 {
		inputs = in.DynamicData //nolint:staticcheck // deprecated, but what older callers set
	}
	if len(inputs) == 0 {
		inputs = nil // an empty object and no inputs are the same
	}
	version := "published"
	switch {
	case in.Head:
		version = "head"
	case in.Version != nil:
		version = fmt.Sprint(*in.Version)
	}
	return Digest{
		agent:   short(strings.ToLower(in.AgentID)),
		profile: short(strings.ToLower(in.AgentProfileID + "\n" + in.AgentProfilePoolID)),
		inputs:  short(canonical(inputs)),
		files:   short(strings.Join(files, "\n")),
		version: short(version),
		options: short(canonical(cmp.Or(in.ExecutionOptions, &asteroid.ExecutionOptions{}))),
	}
}

// Identity returns the part of an execution key that stands for the request. Requests that mean the
// same have the same identity, whatever version and options they have.
func (d Digest) Identity() string {
	return version1 + "-" + sum(strings.Join([]string{d.agent, d.profile, d.inputs, d.files}, "\n"), 16)
}

// String returns the text that [Parse] reads.
func (d Digest) String() string {
	return strings.Join([]string{version1, d.agent, d.profile, d.inputs, d.files, d.version, d.options}, " ")
}

// Parse reads a digest from the metadata of an execution. It reports false for a text in another
// format than version1.
func Parse(text string) (Digest, bool) {
	parts := strings.Split(text, " ")
	if len(parts) != 7 || parts[0] != version1 {
		return Digest{}, false
	}
	return Digest{parts[1], parts[2], parts[3], parts[4], parts[5], parts[6]}, true
}

// Differences returns the names of the members in which two requests do not mean the same. options
// names the members that only change how the agent runs.
func (d Digest) Differences(other Digest) (meaning, options []string) {
	add := func(names *[]string, name, one, two string) {
		if one != two {
			*names = append(*names, name)
		}
	}
	add(&meaning, "agentId", d.agent, other.agent)
	add(&meaning, "profile", d.profile, other.profile)
	add(&meaning, "inputs", d.inputs, other.inputs)
	add(&meaning, "files", d.files, other.files)
	add(&options, "version", d.version, other.version)
	add(&options, "executionOptions", d.options, other.options)
	return meaning, options
}

// OfStaged returns the identities of staged files. A handle that StageFiles did not make has no
// identity; its id and name serve instead.
func OfStaged(files []asteroid.StagedFile) []string {
	identities := make([]string, len(files))
	for i, file := range files {
		identities[i] = cmp.Or(file.Identity, short(file.ID+"\n"+file.Name))
	}
	return identities
}

// OfFiles returns the identities of files.
func OfFiles(refs []asteroid.FileRef) []string {
	identities := make([]string, len(refs))
	for i, ref := range refs {
		identities[i] = OfFile(ref)
	}
	return identities
}

// OfFile returns the identity of a file: a digest of its name and its Identity, or, if that is
// empty, of its name and its URI without the parameters of a signature.
func OfFile(ref asteroid.FileRef) string {
	if ref.Identity != "" {
		return short("identity\n" + ref.Identity + "\n" + ref.Name)
	}
	return short("uri\n" + unsigned(ref.URI) + "\n" + ref.Name)
}

// unsigned returns a URI without the query parameters of a signature. The others keep their order.
func unsigned(uri string) string {
	rest, fragment, hasFragment := strings.Cut(uri, "#")
	base, query, hasQuery := strings.Cut(rest, "?")
	if !hasQuery || strings.HasPrefix(strings.ToLower(uri), "data:") {
		return uri
	}
	parameters := strings.Split(query, "&")
	azure := slices.ContainsFunc(parameters, func(p string) bool { return parameterName(p) == "sig" })
	parameters = slices.DeleteFunc(parameters, func(p string) bool {
		name := parameterName(p)
		return strings.HasPrefix(name, "x-amz-") || strings.HasPrefix(name, "x-goog-") || (azure && azureSignature[name])
	})
	if len(parameters) > 0 {
		base += "?" + strings.Join(parameters, "&")
	}
	if hasFragment {
		base += "#" + fragment
	}
	return base
}

// azureSignature are the parameters of a shared access signature that say who may read a blob, how
// and until when. None of them selects the blob.
var azureSignature = map[string]bool{
	"sig": true, "se": true, "st": true, "sp": true, "spr": true, "sip": true, "sv": true, "sr": true,
	"skoid": true, "sktid": true, "skt": true, "ske": true, "sks": true, "skv": true,
	"saoid": true, "suoid": true, "scid": true, "ss": true, "srt": true, "ses": true, "sdd": true,
}

func parameterName(parameter string) string {
	name, _, _ := strings.Cut(parameter, "=")
	return strings.ToLower(name)
}

// canonical returns the JSON of a value with sorted members and one form for each number. It is
// deterministic, although workflowcheck flags encoding/json.
//
//workflowcheck:ignore
func canonical(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error() // unreachable: an input holds only JSON values
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return string(text)
	}
	if text, err = json.Marshal(normalize(decoded)); err != nil {
		return err.Error()
	}
	return string(text)
}

// normalize writes the numbers in a decoded value in one form, in place: 1042.0 and 1.042e3 as
// 1042. An integer keeps all its digits.
func normalize(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			value[name] = normalize(member)
		}
	case []any:
		for i, item := range value {
			value[i] = normalize(item)
		}
	case json.Number:
		if strings.ContainsAny(value.String(), ".eE") {
			if f, err := value.Float64(); err == nil {
				return json.Number(strconv.FormatFloat(f, format(f), -1, 64))
			}
		}
	}
	return value
}

// format returns the form of a number. Written out, a million numbers such as 1e308 would be 300
// million digits.
func format(f float64) byte {
	const most = 1e40
	if size := math.Abs(f); size != 0 && (size >= most || size <= 1/most) {
		return 'e'
	}
	return 'f'
}

func short(text string) string { return sum(text, 8) }

// sum returns the first n bytes of a digest, in hexadecimal.
func sum(text string, n int) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:n])
}
