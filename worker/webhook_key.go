package worker

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// minWebhookKeyBits is the shortest RSA key that is still taken for safe.
const minWebhookKeyBits = 2048

// ParseWebhookPublicKey reads the public key that signs webhooks: a PEM block ("PUBLIC KEY" or "RSA PUBLIC KEY"), or the base64
// of such a block or of its DER, which is how the vendor's page shows it. Spaces and line breaks do not matter. A key of less
// than 2048 bits is refused. Errors do not repeat the text.
func ParseWebhookPublicKey(text string) (*rsa.PublicKey, error) {
	raw := []byte(strings.TrimSpace(text))
	if len(raw) == 0 {
		return nil, errors.New("asteroid: webhook public key: it is empty; copy it from the vendor's webhooks page")
	}
	if !isPEM(raw) {
		decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, errors.New("asteroid: webhook public key: neither PEM nor base64; copy it from the vendor's webhooks page, from the first character to the last")
		}
		raw = bytes.TrimSpace(decoded)
	}
	if isPEM(raw) {
		block, rest := pem.Decode(raw)
		switch {
		case block == nil:
			return nil, errors.New("asteroid: webhook public key: the PEM block is damaged; it needs its BEGIN and END lines and the lines between them")
		case len(bytes.TrimSpace(rest)) > 0:
			return nil, errors.New("asteroid: webhook public key: there is something after the first PEM block; parse each key on its own")
		case block.Type != "PUBLIC KEY" && block.Type != "RSA PUBLIC KEY":
			return nil, fmt.Errorf("asteroid: webhook public key: a PEM block of type %q; it has to be PUBLIC KEY or RSA PUBLIC KEY", block.Type)
		}
		raw = block.Bytes
	}
	key, err := parseDER(raw)
	if err != nil {
		return nil, err
	}
	if err := checkWebhookKey(key); err != nil {
		return nil, err
	}
	return key, nil
}

func isPEM(text []byte) bool { return bytes.HasPrefix(text, []byte("-----BEGIN ")) }

func parseDER(der []byte) (*rsa.PublicKey, error) {
	if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("asteroid: webhook public key: it decodes, but to no PKIX or PKCS #1 public key; copy it from the vendor's webhooks page")
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("asteroid: webhook public key: a %T; webhooks are signed with RSA", parsed)
	}
	return key, nil
}

func checkWebhookKey(key *rsa.PublicKey) error {
	if key == nil || key.N == nil || key.E < 3 || key.E%2 == 0 {
		return errors.New("asteroid: webhook public key: nil, or no RSA key; use ParseWebhookPublicKey")
	}
	if bits := key.N.BitLen(); bits < minWebhookKeyBits {
		return fmt.Errorf("asteroid: webhook public key: %d bits are too few to be safe; use a key of %d or more", bits, minWebhookKeyBits)
	}
	return nil
}
