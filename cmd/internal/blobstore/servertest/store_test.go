package servertest_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/blobstore"
)

var large = flag.Bool("large", false, "also write and read an object of 5 GiB")

func parse(t *testing.T, uri string) *url.URL {
	t.Helper()
	parsed, err := url.Parse(uri)
	require.NoError(t, err)
	return parsed
}

// generated returns n bytes that do not repeat.
func generated(n int64) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), n) }

// sum returns the checksum and the size of a stream.
func sum(t *testing.T, content io.Reader) (checksum uint32, size int64) {
	t.Helper()
	hash := crc32.NewIEEE()
	size, err := io.Copy(hash, content)
	require.NoError(t, err)
	return hash.Sum32(), size
}

// requireContent checks that the store describes and returns generated(size).
func requireContent(t *testing.T, store asteroid.Store, uri *url.URL, size int64) {
	t.Helper()
	info, err := store.Stat(t.Context(), uri)
	require.NoError(t, err)
	require.Equal(t, asteroid.FileInfo{ContentType: "text/csv", Size: size}, info)
	opened, err := store.Open(t.Context(), uri)
	require.NoError(t, err)
	gotSum, gotSize := sum(t, opened)
	require.NoError(t, opened.Close())
	wantSum, _ := sum(t, generated(size))
	require.Equal(t, size, gotSize)
	require.Equal(t, wantSum, gotSum)
}

func TestStoreReadsAndDescribesWhatItWrote(t *testing.T) {
	forEachServer(t, func(t *testing.T, s *server) {
		store := s.open(t, "claims")
		for key, size := range map[string]int64{
			"empty": 0, "claims.csv": 100, "2026/deep/er/ä ö%23%3F%25 日本語.csv": 1000, "parts": 20<<20 + 1,
		} {
			uri := parse(t, s.scheme+"://claims/"+key)
			require.NoError(t, store.Write(t.Context(), uri, strings.NewReader("what was there before"), asteroid.FileInfo{ContentType: "text/html"}))
			require.NoError(t, store.Write(t.Context(), uri, generated(size), asteroid.FileInfo{ContentType: "text/csv", Size: size}), key)
			requireContent(t, store, uri, size)
		}
	})
}

func TestStoreWritesFiveGiB(t *testing.T) {
	if !*large {
		t.Skip("runs with -large only")
	}
	forEachServer(t, func(t *testing.T, s *server) {
		const size = 5<<30 + 1
		store, uri := s.open(t, "claims"), parse(t, s.scheme+"://claims/large")
		require.NoError(t, store.Write(t.Context(), uri, generated(size), asteroid.FileInfo{ContentType: "text/csv", Size: size}))
		requireContent(t, store, uri, size)
	})
}

func TestStoreWriteAbortedKeepsOldObject(t *testing.T) {
	forEachServer(t, func(t *testing.T, s *server) {
		store := s.open(t, "claims")
		before, absent := parse(t, s.scheme+"://claims/old"), parse(t, s.scheme+"://claims/absent")
		require.NoError(t, store.Write(t.Context(), before, generated(10), asteroid.FileInfo{ContentType: "text/csv"}))
		broken := errors.New("the line is dead")
		for _, sent := range []int64{0, 100, 20 << 20} {
			for _, uri := range []*url.URL{before, absent} {
				content := io.MultiReader(generated(sent), iotest.ErrReader(broken))
				require.ErrorIs(t, store.Write(t.Context(), uri, content, asteroid.FileInfo{ContentType: "text/csv"}), broken)
			}
		}
		requireContent(t, store, before, 10)
		_, err := store.Stat(t.Context(), absent)
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func TestStoreNeverMixesTwoVersionsOfAnObject(t *testing.T) {
	forEachServer(t, func(t *testing.T, s *server) {
		const size = 20 << 20
		store, uri := s.open(t, "claims"), parse(t, s.scheme+"://claims/changes")
		require.NoError(t, store.Write(t.Context(), uri, generated(size), asteroid.FileInfo{}))
		opened, err := store.Open(t.Context(), uri)
		require.NoError(t, err)
		defer func() { require.NoError(t, opened.Close()) }()
		begin := make([]byte, 1000)
		_, err = io.ReadFull(opened, begin)
		require.NoError(t, err)
		require.NoError(t, store.Write(t.Context(), uri, strings.NewReader(strings.Repeat("x", size)), asteroid.FileInfo{}))
		rest, err := io.ReadAll(opened)
		if err != nil {
			return // refused
		}
		want, _ := sum(t, generated(size))
		got, _ := sum(t, io.MultiReader(bytes.NewReader(begin), bytes.NewReader(rest)))
		require.Equal(t, want, got)
	})
}

func TestStoreChecksDestinationAndStoresNothing(t *testing.T) {
	forEachServer(t, func(t *testing.T, s *server) {
		store := s.open(t, "claims", "missing")
		checker := store.(asteroid.DestinationChecker)
		for _, path := range []string{"", "/", "/results", "/results/ä%20b/", "/results/ä%20b/"} {
			require.NoError(t, checker.CheckDestination(t.Context(), parse(t, s.scheme+"://claims"+path)), path)
			_, err := store.Stat(t.Context(), parse(t, s.scheme+"://claims"+strings.TrimSuffix(path, "/")+"/.asteroid-check"))
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
		for uri, want := range map[string]error{
			"://missing/results": fs.ErrNotExist, "://unlisted/results": fs.ErrPermission, "://claims/../x": fs.ErrInvalid, "://claims/x?region=y": fs.ErrInvalid,
		} {
			require.ErrorIs(t, checker.CheckDestination(t.Context(), parse(t, s.scheme+uri)), want, uri)
		}
		missing := parse(t, s.scheme+"://missing/x")
		_, err := store.Stat(t.Context(), missing)
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = store.Open(t.Context(), missing)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorIs(t, store.Write(t.Context(), missing, generated(10), asteroid.FileInfo{ContentType: "text/csv"}), fs.ErrNotExist)
	})
}

// refusedBucket is the environment variable with the bucket URL that a process with refused
// credentials opens.
const refusedBucket = "SERVERTEST_REFUSED_BUCKET"

// TestStoreIsUnauthorizedWithRefusedCredentials runs each check in a process of its own, because
// the SDKs read the environment once.
func TestStoreIsUnauthorizedWithRefusedCredentials(t *testing.T) {
	if bucket, ok := os.LookupEnv(refusedBucket); ok {
		requireRefused(t, bucket)
		return
	}
	credentials := map[string]map[string][]string{
		"s3": {"wrong secret": {"AWS_SECRET_ACCESS_KEY=wrong"}},
		"azblob": {
			"expired signature": {"AZURE_STORAGE_KEY=", "AZURE_STORAGE_SAS_TOKEN=" + expiredSAS(t)},
			"wrong key":         {"AZURE_STORAGE_KEY=d3Jvbmc="},
		},
	}
	forEachServer(t, func(t *testing.T, s *server) {
		if credentials[s.scheme] == nil {
			t.Skip("the server accepts all credentials")
		}
		for name, environment := range credentials[s.scheme] {
			child := exec.Command(os.Args[0], "-test.run=^TestStoreIsUnauthorizedWithRefusedCredentials$") //nolint:noctx // this test
			child.Env = append(append(os.Environ(), refusedBucket+"="+s.bucketURL("claims")), environment...)
			output, err := child.CombinedOutput()
			require.NoError(t, err, "%s: %s", name, output)
		}
	})
}

func requireRefused(t *testing.T, bucket string) {
	stores, closeAll, err := blobstore.Open(t.Context(), bucket)
	require.NoError(t, err)
	defer func() { require.NoError(t, closeAll()) }()
	for scheme, store := range stores {
		uri := parse(t, scheme+"://claims/x")
		_, statErr := store.Stat(t.Context(), uri)
		_, openErr := store.Open(t.Context(), uri)
		for operation, err := range map[string]error{
			"stat": statErr, "open": openErr,
			"write": store.Write(t.Context(), uri, generated(10), asteroid.FileInfo{ContentType: "text/csv"}),
			"check": store.(asteroid.DestinationChecker).CheckDestination(t.Context(), uri),
		} {
			require.ErrorIs(t, err, fs.ErrPermission, operation)
			require.NotContains(t, fmt.Sprint(err), "sig=", operation)
		}
	}
}
