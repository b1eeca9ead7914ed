package testsuite

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
)

const signatureHeader = "X-Asteroid-Signature"

// NewWebhookKey returns a new key for signing webhooks.
func NewWebhookKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(fmt.Sprintf("testsuite: %v", err)) // crypto/rand never fails
	}
	return key
}

// SignWebhook returns the value of the header X-Asteroid-Signature for a body. It panics if the key
// is too short.
func SignWebhook(key *rsa.PrivateKey, body []byte) string {
	digest := sha256.Sum256(body)
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		panic(fmt.Sprintf("testsuite: SignWebhook: %v; use NewWebhookKey", err))
	}
	return base64.StdEncoding.EncodeToString(signature)
}

// NewWebhookRequest returns a signed webhook request. Pass it to a handler under test or, with a
// full URL, to an HTTP client. The body may be anything; the service sends the V2 envelope. It
// panics if the URL is invalid.
func NewWebhookRequest(url string, key *rsa.PrivateKey, body []byte) *http.Request {
	r, err := newWebhookRequest(context.Background(), url, SignWebhook(key, body), body)
	if err != nil {
		panic(fmt.Sprintf("testsuite: NewWebhookRequest: %v", err))
	}
	return r
}

func newWebhookRequest(ctx context.Context, url, signature string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(signatureHeader, signature)
	return r, nil
}

// WebhookPublicKey returns the public half of a key in the form of the service's page: the base64
// of a PEM block.
func WebhookPublicKey(key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(fmt.Sprintf("testsuite: WebhookPublicKey: %v", err)) // every RSA key can be marshalled
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// WebhookPublicKey returns the key for verifying the API's webhooks. It is empty without
// [WithWebhooks].
func (a *API) WebhookPublicKey() string {
	if a.service.webhooks == nil {
		return ""
	}
	return WebhookPublicKey(a.service.webhooks.key)
}
