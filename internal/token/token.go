// Package token makes and checks the token in the metadata of an execution. The service signs the
// webhooks of all its customers with one key. The token tells executions that workers with the
// secret started from those of others, whose metadata may name any workflow.
//
// A token has two parts: the id of the secret, and an HMAC-SHA-256 with the secret over the
// namespace, the workflow id and the execution key. It is visible to whoever can read the
// execution, so it does not protect against members of the organization.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/temporal-asteroid/asteroid"
)

// MinSecretBytes is the length of the shortest secret. Whoever sees a token can try secrets.
const MinSecretBytes = 32

// Secrets make and check tokens. The zero value makes none and trusts every metadata.
type Secrets struct {
	all []secret // the first makes tokens
}

type secret struct {
	id  string
	key []byte
}

// New returns the secrets, of which the first makes tokens. Its errors repeat none.
func New(secrets []string) (Secrets, error) {
	var s Secrets
	for i, text := range secrets {
		if len(text) < MinSecretBytes {
			return Secrets{}, fmt.Errorf("webhook secret %d of %d has less than %d bytes: make one by openssl rand -base64 32",
				i+1, len(secrets), MinSecretBytes)
		}
		key := []byte(text)
		s.all = append(s.all, secret{hex.EncodeToString(mac(key, "asteroid-token-id"))[:8], key})
	}
	return s, nil
}

// Known reports whether there is a secret.
func (s Secrets) Known() bool { return len(s.all) > 0 }

// IDs returns the ids of the secrets, which metrics name.
func (s Secrets) IDs() (ids []string) {
	for _, one := range s.all {
		ids = append(ids, one.id)
	}
	return ids
}

// Make returns the token of an execution with this metadata. It is empty without a secret.
func (s Secrets) Make(metadata map[string]string) string {
	if !s.Known() {
		return ""
	}
	return s.all[0].token(metadata)
}

// Verdict is what a token says of the metadata that holds it.
type Verdict string

// The verdicts.
const (
	Valid   Verdict = "valid"
	Missing Verdict = "missing" // there is none
	Wrong   Verdict = "wrong"   // it belongs to other metadata, or to a secret that is not known
)

// Check judges the token in the metadata, in constant time. It returns the id of the secret that
// made a valid one. Without a secret no token is valid.
func (s Secrets) Check(metadata map[string]string) (verdict Verdict, id string) {
	given := []byte(metadata[asteroid.MetadataToken])
	if len(given) == 0 {
		return Missing, ""
	}
	verdict = Wrong
	for _, one := range s.all {
		if hmac.Equal(given, []byte(one.token(metadata))) {
			verdict, id = Valid, one.id
		}
	}
	return verdict, id
}

func (s secret) token(metadata map[string]string) string {
	sum := mac(s.key, "asteroid-token-1",
		metadata[asteroid.MetadataNamespace], metadata[asteroid.MetadataWorkflowID], metadata[asteroid.MetadataExecutionKey])
	return s.id + "." + base64.RawURLEncoding.EncodeToString(sum)
}

// mac returns the HMAC-SHA-256 over the fields, each behind its length: an id may hold any byte.
func mac(key []byte, fields ...string) []byte {
	hash := hmac.New(sha256.New, key)
	for _, field := range fields {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		hash.Write([]byte(field))
	}
	return hash.Sum(nil)
}
