package testsuite

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

const formHead = "--x\r\nContent-Disposition: form-data; name=files; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n"

// receiveBoth receives a form with and without storing the contents, and requires equal results.
func receiveBoth(t *testing.T, form string) ([]upload, error) {
	t.Helper()
	receive := func(s *service, body io.Reader) ([]upload, error) {
		r := httptest.NewRequest(http.MethodPost, "/", body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		return s.receiveForm(r)
	}
	kept, keptErr := receive(&service{}, strings.NewReader(form))
	counted, err := receive(&service{options: options{discardUploads: true}}, iotest.HalfReader(strings.NewReader(form)))
	require.Equal(t, keptErr != nil, err != nil, "%q: %v, %v", form, keptErr, err)
	if err != nil {
		return nil, err
	}
	require.Len(t, counted, len(kept))
	for i, u := range counted {
		require.Equal(t, kept[i].blob.size, u.blob.size, form)
		require.Equal(t, [2]string{kept[i].name, kept[i].contentType}, [2]string{u.name, u.contentType})
	}
	return counted, nil
}

func TestCountFormAgreesWithReceiveForm(t *testing.T) {
	t.Parallel()
	for content, size := range map[string]int64{
		"": 0, "\r\n": 2, "a--x": 4, "\r\n--": 4, "\r\r\n-\r\n--y": 9, strings.Repeat("\r\n--", 200_000): 800_000,
		strings.Repeat("z", 2*countBuffer) + "\r": 2*countBuffer + 1,
	} {
		uploads, err := receiveBoth(t, formHead+content+"\r\n--x--\r\n")
		require.NoError(t, err)
		require.Equal(t, size, uploads[0].blob.size)
		uploads, err = receiveBoth(t, formHead+content+"\r\n"+formHead+content+"\r\n--x--")
		require.NoError(t, err)
		require.Equal(t, "a-1.txt", uploads[1].name)
		require.Equal(t, size, uploads[1].blob.size)
	}
	for _, form := range []string{"", "--x--\r\n", "--x\r\n\r\nno head\r\n--x--\r\n", strings.Replace(formHead, "files", "file", 1) + "y\r\n--x--\r\n"} {
		_, err := receiveBoth(t, form)
		require.Error(t, err)
	}
}

func TestCountFormRefusesTruncatedForms(t *testing.T) {
	t.Parallel()
	form := formHead + "a\r\n" + formHead + "bc\r\n--x--"
	for i := range form {
		_, err := receiveBoth(t, form[:i])
		require.Error(t, err, "cut off after %q", form[:i])
	}
}

func TestCountFormRefusesBrokenConnection(t *testing.T) {
	t.Parallel()
	_, err := countForm(io.MultiReader(strings.NewReader(formHead+"a"), iotest.ErrReader(errors.New("connection lost"))), "x")
	require.Error(t, err)
}

func TestCountFormBoundsPartHeader(t *testing.T) {
	t.Parallel()
	_, err := countForm(io.MultiReader(strings.NewReader("--x\r\n"), zeros{}), "x")
	require.ErrorIs(t, err, errForm)
}

// Not parallel: it measures memory.
func TestCountFormTakesLittleMemory(t *testing.T) {
	body := io.MultiReader(strings.NewReader(formHead), io.LimitReader(zeros{}, 256<<20), strings.NewReader("\r\n--x--\r\n"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	uploads, err := countForm(body, "x")
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.EqualValues(t, 256<<20, uploads[0].blob.size)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

func BenchmarkCountForm(b *testing.B) {
	const size = 1 << 30
	b.SetBytes(size)
	random := &pattern{}
	for b.Loop() {
		_, err := countForm(io.MultiReader(strings.NewReader(formHead), io.LimitReader(random, size), strings.NewReader("\r\n--x--\r\n")), "x")
		require.NoError(b, err)
	}
}

// pattern is an endless reader with about as many carriage returns as random bytes.
type pattern struct{ block [1 << 20]byte }

func (p *pattern) Read(into []byte) (int, error) {
	if p.block[1] == 0 {
		for i := range p.block {
			p.block[i] = byte(i * 7)
		}
	}
	return copy(into, p.block[:]), nil
}
