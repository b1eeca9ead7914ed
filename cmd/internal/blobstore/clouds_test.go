package blobstore_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/blobstore"
)

// TestMain sets fake credentials before the SDKs read the environment.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_MAX_ATTEMPTS": "1", "AWS_CONFIG_FILE": os.DevNull,
		"AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=very-secret", "AZURE_STORAGE_KEY": "", "AZURE_STORAGE_ACCOUNT": "",
		"AZURE_STORAGE_CONNECTION_STRING": "", "AZURE_STORAGEBLOB_CONNECTIONSTRING": "",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// cloud serves the upload and download requests of all three SDKs. The key decides the response. It
// records what was sent.
type cloud struct {
	*httptest.Server
	mu   sync.Mutex
	sent map[string]string
}

func newCloud(t *testing.T) *cloud {
	c := &cloud{sent: map[string]string{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if uploaded := r.URL.Query().Get("name"); uploaded != "" { // to Google
		name = path.Base(uploaded)
	}
	switch name {
	case "absent":
		w.Header().Set("X-Ms-Error-Code", "BlobNotFound")
		w.WriteHeader(http.StatusNotFound)
	case "secret":
		w.Header().Set("X-Ms-Error-Code", "AuthorizationPermissionMismatch")
		w.WriteHeader(http.StatusForbidden)
	default:
		content, err := io.ReadAll(r.Body)
		switch {
		case err != nil: // cut off
		case r.Method == http.MethodPost:
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"bucket":"claims","name":%q}`, name)
			c.record(name, content)
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case r.Method == http.MethodPut:
			w.WriteHeader(http.StatusCreated)
			c.record(name, content)
		}
	}
}

func (c *cloud) record(name string, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[name] = string(content)
}

func (c *cloud) recorded(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent[name]
}

// store opens a bucket that the cloud serves.
func (c *cloud) store(t *testing.T, scheme string) asteroid.Store {
	t.Helper()
	host := strings.TrimPrefix(c.URL, "http://")
	if scheme == "gs" {
		t.Setenv("STORAGE_EMULATOR_HOST", host)
	}
	return open(t, map[string]string{
		"s3":     "s3://claims?region=eu-central-1&use_path_style=true&request_checksum_calculation=when_required&endpoint=" + url.QueryEscape(c.URL),
		"gs":     "gs://claims?anonymous=true",
		"azblob": "azblob://claims?storage_account=acme&protocol=http&domain=" + url.QueryEscape(host),
	}[scheme])[scheme]
}

func TestStoreConvertsRefusalsOfEveryCloud(t *testing.T) {
	for _, scheme := range []string{"s3", "gs", "azblob"} {
		t.Run(scheme, func(t *testing.T) {
			store := newCloud(t).store(t, scheme)
			for name, want := range map[string]error{"absent": fs.ErrNotExist, "secret": fs.ErrPermission} {
				uri := parse(t, scheme+"://claims/2026/"+name)
				_, err := store.Stat(t.Context(), uri)
				require.ErrorIs(t, err, want)
				_, err = store.Open(t.Context(), uri)
				require.ErrorIs(t, err, want)
				require.NotContains(t, err.Error(), "very-secret")
				require.NotContains(t, err.Error(), "\n")
			}
			deleter := store.(asteroid.Deleter)
			require.NoError(t, deleter.Delete(t.Context(), parse(t, scheme+"://claims/absent")))
			require.ErrorIs(t, deleter.Delete(t.Context(), parse(t, scheme+"://claims/secret")), fs.ErrPermission)
			err := store.Write(t.Context(), parse(t, scheme+"://claims/secret"), strings.NewReader("x"), asteroid.FileInfo{ContentType: "text/csv"})
			require.ErrorIs(t, err, fs.ErrPermission)
		})
	}
}

func TestStoreWriteReachesEveryCloud(t *testing.T) {
	for _, scheme := range []string{"s3", "gs", "azblob"} {
		t.Run(scheme, func(t *testing.T) {
			served := newCloud(t)
			store := served.store(t, scheme)
			write(t, store, scheme+"://claims/2026/1042.csv", "a,b\n1,2\n")
			require.Contains(t, served.recorded("1042.csv"), "a,b\n1,2\n")

			broken := errors.New("the line is dead")
			content := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken))
			err := store.Write(t.Context(), parse(t, scheme+"://claims/half.csv"), content, asteroid.FileInfo{ContentType: "text/csv"})
			require.ErrorIs(t, err, broken)
			require.Empty(t, served.recorded("half.csv"))
		})
	}
}

func TestStoreErrorOfUnreachableCloudIsNoRefusalAndHoldsNoSignature(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the retries of the SDKs, about ten seconds")
	}
	t.Parallel()
	for _, scheme := range []string{"s3", "azblob"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			served := newCloud(t)
			store := served.store(t, scheme)
			served.Close()
			_, err := store.Open(t.Context(), parse(t, scheme+"://claims/1042.csv"))
			require.Error(t, err)
			for _, refusal := range []error{fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid} {
				require.NotErrorIs(t, err, refusal)
			}
			require.Contains(t, err.Error(), "127.0.0.1")
			require.NotContains(t, err.Error(), "sig=")
		})
	}
}

func TestOpenRejectsGoogleBucketWithoutCredentials(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
	_, _, err := blobstore.Open(t.Context(), "gs://claims")
	require.ErrorContains(t, err, "the bucket gs://claims cannot be opened")
}
