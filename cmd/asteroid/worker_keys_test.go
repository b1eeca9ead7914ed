package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pemText(kind string, der []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// testPublicKey returns the public half of testKey.
func testPublicKey() string {
	der, err := x509.MarshalPKIXPublicKey(&testKey().PublicKey)
	return pemText("PUBLIC KEY", der, err)
}

// testCertificate returns a certificate of testKey.
func testCertificate(serial int64) string {
	template := x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &testKey().PublicKey, testKey())
	return pemText("CERTIFICATE", der, err)
}

func TestWebhookListenerTakesRenewedCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := webhookConfig{TLSCertFile: filepath.Join(dir, "tls.crt"), TLSKeyFile: filepath.Join(dir, "tls.key")}
	der, err := x509.MarshalPKCS8PrivateKey(testKey())
	require.NoError(t, os.WriteFile(config.TLSKeyFile, []byte(pemText("PRIVATE KEY", der, err)), 0o600))
	require.NoError(t, os.WriteFile(config.TLSCertFile, []byte(testCertificate(1)), 0o600))
	secure, err := config.tls()
	require.NoError(t, err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", secure)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_ = connection.(*tls.Conn).Handshake()
			_ = connection.Close()
		}
	}()
	for serial := int64(1); serial <= 2; serial++ {
		require.NoError(t, os.WriteFile(config.TLSCertFile, []byte(testCertificate(serial)), 0o600))
		connection, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		require.Equal(t, serial, connection.ConnectionState().PeerCertificates[0].SerialNumber.Int64())
		require.NoError(t, connection.Close())
	}
}
