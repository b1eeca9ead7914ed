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

// minWebhookKeyBits is the shortest accepted RSA key.
const minWebhookKeyBits = 2048

// ParseWebhookPublicKey parses the public key of webhook signatures: a PEM block ("PUBLIC KEY" or
// "RSA PUBLIC KEY"), or the base64 of such a block or of its DER, as Asteroid's webhooks page shows
// it. Spaces and line breaks are ignored. Keys under 2048 bits are refused. Errors omit the text.
func ParseWebhookPublicKey(text string) (*rsa.PublicKey, error) {
	raw := []byte(strings.TrimSpace(text))
	if len(raw) == 0 {
		return nil, errors.New("asteroid: webhook public key: the text is empty; copy the key from Asteroid's webhooks page")
	}
	if !isPEM(raw) {
		decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, errors.New("asteroid: webhook public key: the text is neither PEM nor base64; copy the whole key from Asteroid's webhooks page")
		}
		raw = bytes.TrimSpace(decoded)
	}
	if isPEM(raw) {
		block, rest := pem.Decode(raw)
		switch {
		case block == nil:
			return nil, errors.New("asteroid: webhook public key: the PEM block is damaged; copy it from its BEGIN line to its END line")
		case len(bytes.TrimSpace(rest)) > 0:
			return nil, errors.New("asteroid: webhook public key: text follows the first PEM block; parse each key on its own")
		case block.Type != "PUBLIC KEY" && block.Type != "RSA PUBLIC KEY":
			return nil, fmt.Errorf("asteroid: webhook public key: the PEM block has type %q; it must be PUBLIC KEY or RSA PUBLIC KEY", block.Type)
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
		return nil, errors.New("asteroid: webhook public key: the decoded text is no PKIX or PKCS #1 public key; copy the key from Asteroid's webhooks page")
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("asteroid: webhook public key: the key is a %T; Asteroid signs webhooks with RSA", parsed)
	}
	return key, nil
}

func checkWebhookKey(key *rsa.PublicKey) error {
	if key == nil || key.N == nil || key.E < 3 || key.E%2 == 0 {
		return errors.New("asteroid: webhook public key: the key is nil or no RSA key; parse it with ParseWebhookPublicKey")
	}
	if bits := key.N.BitLen(); bits < minWebhookKeyBits {
		return fmt.Errorf("asteroid: webhook public key: %d bits are too few; use a key of at least %d bits", bits, minWebhookKeyBits)
	}
	return nil
}
