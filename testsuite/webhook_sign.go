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

// NewWebhookKey makes a key to sign webhooks with.
func NewWebhookKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(fmt.Sprintf("testsuite: %v", err)) // crypto/rand never fails
	}
	return key
}

// SignWebhook is the value of the header X-Asteroid-Signature for a body. A key that is too short to sign with panics.
func SignWebhook(key *rsa.PrivateKey, body []byte) string {
	digest := sha256.Sum256(body)
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		panic(fmt.Sprintf("testsuite: SignWebhook: %v; use NewWebhookKey", err))
	}
	return base64.StdEncoding.EncodeToString(signature)
}

// NewWebhookRequest is a signed webhook as a client sends it: for a handler under test, or, with a URL, for a server. The
// body is any; the service's is the V2 envelope. A URL that is none panics.
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

// WebhookPublicKey is the public half of a key as the service's page shows it: the base64 of a PEM block.
func WebhookPublicKey(key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(fmt.Sprintf("testsuite: WebhookPublicKey: %v", err)) // every RSA key marshals
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// WebhookPublicKey is what a receiver needs to check the API's webhooks; empty without [WithWebhooks].
func (a *API) WebhookPublicKey() string {
	if a.service.webhooks == nil {
		return ""
	}
	return WebhookPublicKey(a.service.webhooks.key)
}
