package servertest_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/blobstore"
)

// Azurite has one account, whose key is published.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// TestMain sets the credentials of the servers before the SDKs read the environment.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "writer", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_MAX_ATTEMPTS": "1", "AWS_CONFIG_FILE": os.DevNull,
		"AZURE_STORAGE_KEY": azuriteKey, "AZURE_STORAGE_ACCOUNT": azuriteAccount, "AZURE_STORAGE_SAS_TOKEN": "",
		"AZURE_STORAGE_CONNECTION_STRING": "", "AZURE_STORAGEBLOB_CONNECTIONSTRING": "",
	} {
		if _, refused := os.LookupEnv(refusedBucket); refused && name != "AWS_CONFIG_FILE" {
			continue // the parent has set the credentials
		}
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// server is an object store with the empty bucket "claims".
type server struct {
	scheme  string
	address string // host:port
	options string // the query of bucket URLs
}

// bucketURL returns the URL with which package blobstore opens a bucket.
func (s *server) bucketURL(name string) string { return s.scheme + "://" + name + "?" + s.options }

// open returns a store with the buckets.
func (s *server) open(t *testing.T, names ...string) asteroid.Store {
	t.Helper()
	urls := make([]string, len(names))
	for i, name := range names {
		urls[i] = s.bucketURL(name)
	}
	stores, closeAll, err := blobstore.Open(t.Context(), urls...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, closeAll()) })
	return stores[s.scheme]
}

// forEachServer runs a test against each server that is installed.
func forEachServer(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts object stores")
	}
	for name, start := range map[string]func(t *testing.T, binary string) *server{
		"versitygw": startVersity, "fake-gcs-server": startFakeGCS, "azurite-blob": startAzurite,
	} {
		t.Run(name, func(t *testing.T) {
			binary, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("%s is not on the PATH: run .ci/object-stores", name)
			}
			test(t, start(t, binary))
		})
	}
}

func startVersity(t *testing.T, binary string) *server {
	root := t.TempDir()
	for _, folder := range []string{"buckets/claims", "sidecar"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, folder), 0o700))
	}
	address := freeAddress(t)
	run(t, address, binary, "--port", address, "--access", "writer", "--secret", "secret", "--region", "us-east-1", "--quiet",
		"posix", "--sidecar", filepath.Join(root, "sidecar"), filepath.Join(root, "buckets"))
	return &server{"s3", address, "region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape("http://"+address)}
}

func startFakeGCS(t *testing.T, binary string) *server {
	address := freeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	run(t, address, binary, "-scheme", "http", "-host", host, "-port", port, "-public-host", address, "-external-url", "http://"+address,
		"-filesystem-root", t.TempDir(), "-log-level", "error")
	response, err := http.Post("http://"+address+"/storage/v1/b?project=test", "application/json", strings.NewReader(`{"name":"claims"}`)) //nolint:noctx // a local server
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	t.Setenv("STORAGE_EMULATOR_HOST", address)
	return &server{"gs", address, "anonymous=true"}
}

func startAzurite(t *testing.T, binary string) *server {
	address := freeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	run(t, address, binary, "--blobHost", host, "--blobPort", port, "--location", t.TempDir(), "--skipApiVersionCheck", "--silent", "--disableTelemetry")
	credential, err := container.NewSharedKeyCredential(azuriteAccount, azuriteKey)
	require.NoError(t, err)
	client, err := container.NewClientWithSharedKeyCredential(fmt.Sprintf("http://%s/%s/claims", address, azuriteAccount), credential, nil)
	require.NoError(t, err)
	_, err = client.Create(t.Context(), nil)
	require.NoError(t, err)
	return &server{"azblob", address, "protocol=http&localemu=true&storage_account=" + azuriteAccount + "&domain=" + url.QueryEscape(address)}
}

// freeAddress returns a loopback address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a local address
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// run starts a server until the end of the test and waits until it listens.
func run(t *testing.T, address, binary string, arguments ...string) {
	t.Helper()
	command := exec.Command(binary, arguments...) //nolint:noctx // the test kills it
	command.Stderr = t.Output()
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address) //nolint:noctx // a local server
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	}, time.Minute, 10*time.Millisecond, "%s does not listen", binary)
}

// expiredSAS returns a signature for all of the account that expired an hour ago.
func expiredSAS(t *testing.T) string {
	t.Helper()
	credential, err := container.NewSharedKeyCredential(azuriteAccount, azuriteKey)
	require.NoError(t, err)
	signed, err := sas.AccountSignatureValues{
		Protocol: sas.ProtocolHTTPSandHTTP, ExpiryTime: time.Now().Add(-time.Hour).UTC(),
		Permissions: "rwdlac", ResourceTypes: "sco",
	}.SignWithSharedKey(credential)
	require.NoError(t, err)
	return signed.Encode()
}
