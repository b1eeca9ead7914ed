package worker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

func pkix(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return der
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestParseWebhookPublicKeyParsesEveryPastedForm(t *testing.T) {
	t.Parallel()
	key := &webhookKey().PublicKey
	text := func(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }
	whole, short := pkix(t, key), x509.MarshalPKCS1PublicKey(key)
	wrapped := text(whole)[:64] + "\r\n " + text(whole)[64:] + "\n"
	for name, given := range map[string]string{
		"PEM":                  block("PUBLIC KEY", whole),
		"PEM, PKCS #1":         block("RSA PUBLIC KEY", short),
		"PEM without its end":  "\n  " + strings.TrimSpace(block("PUBLIC KEY", whole)),
		"base64 of PEM":        text([]byte(block("PUBLIC KEY", whole))),
		"base64 of PEM, PKCS1": text([]byte("\n" + block("RSA PUBLIC KEY", short))),
		"base64 of DER":        text(whole),
		"base64 of DER, PKCS1": text(short),
		"base64, wrapped":      wrapped,
	} {
		got, err := asteroidworker.ParseWebhookPublicKey(given)
		require.NoError(t, err, name)
		require.True(t, key.Equal(got), name)
	}
}

func TestParseWebhookPublicKeyRefusesUnusableKeyWithReason(t *testing.T) {
	t.Parallel()
	key := webhookKey()
	weak := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	whole := block("PUBLIC KEY", pkix(t, &key.PublicKey))
	for given, want := range map[string]string{
		"":       "empty",
		" \n":    "empty",
		"secret": "neither PEM nor base64",
		base64.StdEncoding.EncodeToString([]byte("secret")): "no PKIX or PKCS #1 public key",
		whole[:len(whole)/2]: "damaged",
		whole + whole:        "follows the first PEM block",
		block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)):              `type "RSA PRIVATE KEY"`,
		block("PUBLIC KEY", []byte("secret")):                                   "no PKIX or PKCS #1 public key",
		block("PUBLIC KEY", pkix(t, &elliptical.PublicKey)):                     "signs webhooks with RSA",
		block("PUBLIC KEY", pkix(t, weak)):                                      "1024 bits are too few",
		block("PUBLIC KEY", pkix(t, &rsa.PublicKey{N: key.N, E: 65537 - 1})):    "no RSA key",
		base64.StdEncoding.EncodeToString([]byte("-----BEGIN PUBLIC KEY-----")): "damaged",
	} {
		got, err := asteroidworker.ParseWebhookPublicKey(given)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "asteroid: webhook public key: ")
		require.NotContains(t, err.Error(), "secret")
		require.Nil(t, got)
	}
}

func TestNewWebhookHandlerRefusesWeakKey(t *testing.T) {
	t.Parallel()
	weak := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 2046, 1), E: 65537}
	_, err := asteroidworker.NewWebhookHandler(asteroidworker.WebhookOptions{
		Clients: map[string]client.Client{"claims": &recordingClient{}}, PublicKeys: []*rsa.PublicKey{weak},
	})
	require.ErrorContains(t, err, "2047 bits are too few")
}
