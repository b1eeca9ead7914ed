package rows_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/rows"
)

// readAll returns the rows of a file as JSON, with the problem of a malformed one in its place.
func readAll(content string, options rows.Options) (columns, read []string, err error) {
	reader, err := rows.NewReader(strings.NewReader(content), options)
	if err != nil {
		return nil, nil, err
	}
	for {
		row, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return reader.Columns(), read, nil
		} else if err != nil {
			return reader.Columns(), read, err
		}
		if row.Problem != nil {
			read = append(read, row.Problem.String())
			continue
		}
		encoded, err := json.Marshal(row.Cells)
		if err != nil {
			return nil, nil, err
		}
		read = append(read, string(encoded))
	}
}

// inUTF16 returns a text in UTF-16, with a byte order mark if it begins with one.
func inUTF16(text string, bigEndian bool) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		bytes := []byte{byte(unit), byte(unit >> 8)}
		if bigEndian {
			bytes[0], bytes[1] = bytes[1], bytes[0]
		}
		b.Write(bytes)
	}
	return b.String()
}

func TestReaderReadsCSVThatPeopleHave(t *testing.T) {
	t.Parallel()
	const plain = "id,name\n1,Zoë\n"
	wanted := []string{`{"id":"1","name":"Zoë"}`}
	type row struct {
		content string
		options rows.Options
		rows    []string
		err     string
	}
	for name, test := range map[string]row{
		"plain":                          {content: plain, rows: wanted},
		"no final newline":               {content: "id,name\n1,Zoë", rows: wanted},
		"CRLF":                           {content: "id,name\r\n1,Zoë\r\n", rows: wanted},
		"CR":                             {content: "id,name\r1,Zoë\r", rows: wanted},
		"byte order mark":                {content: "\ufeff" + plain, rows: wanted},
		"mark before quotes":             {content: "\ufeff\"id\",\"name\"\n1,Zoë\n", rows: wanted},
		"UTF-16 little endian":           {content: inUTF16("\ufeff"+plain, false), rows: wanted},
		"UTF-16 big endian":              {content: inUTF16("\ufeff"+plain, true), rows: wanted},
		"UTF-16 without mark":            {content: inUTF16(plain, false), options: rows.Options{Encoding: "utf-16"}, rows: wanted},
		"UTF-16 big endian without mark": {content: inUTF16(plain, true), options: rows.Options{Encoding: "utf-16"}, rows: wanted},
		"UTF-16 with surrogates":         {content: inUTF16("\ufeffid\n😀\n", false), rows: []string{`{"id":"😀"}`}},
		"UTF-16 not said":                {content: inUTF16(plain, false), err: "line 1, column 2: has a zero byte: if the file is UTF-16, set the encoding utf-16"},
		"half a surrogate":               {content: inUTF16("\ufeffid\n", false) + "\x00\xd8", rows: []string{"line 2, column 1: 0xD800 is half a character of UTF-16"}},
		"Latin-1":                        {content: "id,name\n1,Zo\xeb\n", options: rows.Options{Encoding: "latin1"}, rows: wanted},
		"Windows-1252":                   {content: "id,name\n1,\x80\n", options: rows.Options{Encoding: "windows-1252"}, rows: []string{`{"id":"1","name":"€"}`}},
		"Latin-1 not said":               {content: "id,name\n1,Zo\xeb\n2,b\n", rows: []string{"line 2, column 5: the byte 0xEB is no UTF-8: set the encoding, such as windows-1252", `{"id":"2","name":"b"}`}},
		"Latin-1 header not said":        {content: "id,n\xe4me\n", err: "line 1, column 5: the byte 0xE4 is no UTF-8: set the encoding, such as windows-1252"},
		"mark of another encoding":       {content: "\ufeff" + plain, options: rows.Options{Encoding: "latin1"}, err: "line 1, column 1: begins with the byte order mark of utf-8, and the encoding is said to be latin1"},
		"semicolons":                     {content: "id;name\n1;\"Zoë\"\n", rows: wanted},
		"tabs":                           {content: "id\tname\n1\tZoë\n", rows: wanted},
		"pipes":                          {content: "id|name\n1|Zoë\n", rows: wanted},
		"commas in quoted semicolons":    {content: "\"a,b,c\";d\n1;2\n", rows: []string{`{"a,b,c":"1","d":"2"}`}},
		"decimal commas":                 {content: "id;amount\n1;17,50\n", rows: []string{`{"amount":"17,50","id":"1"}`}},
		"delimiter given":                {content: "a,b:c\n1,2:3\n", options: rows.Options{Delimiter: ':'}, rows: []string{`{"a,b":"1,2","c":"3"}`}},
		"separator line":                 {content: "sep=:\na:b\n1:2\n", rows: []string{`{"a":"1","b":"2"}`}},
		"column called sep=":             {content: "sep=,b\n1,2\n", rows: []string{`{"b":"2","sep=":"1"}`}},
		"quoted newlines":                {content: "id,text\n1,\"a\nb\r\nc\"\n2,d\n", rows: []string{`{"id":"1","text":"a\nb\r\nc"}`, `{"id":"2","text":"d"}`}},
		"quoted quotes":                  {content: "id\n\"say \"\"x\"\"\"\n", rows: []string{`{"id":"say \"x\""}`}},
		"quote in a cell":                {content: "id,size\n1,5\" pipe\n", rows: []string{`{"id":"1","size":"5\" pipe"}`}},
		"empty lines":                    {content: "\n\nid,name\n\n1,Zoë\n\r\n , \n,\n\n", rows: wanted},
		"tabs in empty lines":            {content: "\t\t\t\nid,name\n1,Zoë\n", rows: wanted},
		"quoted nothing":                 {content: "id\n\"\"\n", rows: []string{`{"id":""}`}},
		"header only":                    {content: "id,name\n"},
		"header without newline":         {content: "id,name"},
		"white space of cells":           {content: " id , name \n 1 ,Zoë\n", rows: []string{`{"id":" 1 ","name":"Zoë"}`}},
		"one column":                     {content: "id\n1\n2\n", rows: []string{`{"id":"1"}`, `{"id":"2"}`}},
		"cell that looks like a formula": {content: "id\n=1+1\n", rows: []string{`{"id":"=1+1"}`}},

		"nothing":              {content: "", err: "line 1, column 1: has no header: the first line names the columns"},
		"empty lines only":     {content: "\n\n", err: "line 1, column 1: has no header: the first line names the columns"},
		"duplicate names":      {content: "id,name,id\n1,2,3\n", err: "line 1, column 9: columns 1 and 3 of the header are both called id: rename one"},
		"name missing":         {content: "id,,name\n", err: "line 1, column 4: column 2 of the header has no name: name it or remove it"},
		"trailing delimiter":   {content: "id,name,\n", err: "line 1, column 9: column 3 of the header has no name: name it or remove it"},
		"workbook":             {content: "PK\x03\x04...", err: "line 1, column 1: is a workbook or a ZIP archive: save it as CSV"},
		"compressed":           {content: "\x1f\x8b\x08", err: "line 1, column 1: is compressed: decompress it"},
		"short row":            {content: "a,b,c\n1,2\n3,4,5\n", rows: []string{"line 2, column 3: has 2 cells, fewer than the 3 of the header", `{"a":"3","b":"4","c":"5"}`}},
		"long row":             {content: "a,b\n1,ä,3\n", rows: []string{"line 2, column 5: has 3 cells, more than the 2 of the header"}},
		"text after a quote":   {content: "a,b\n\"x\"y,2\n3,4\n", rows: []string{"line 2, column 4: text follows a closing quote: write a quote within a cell twice", `{"a":"3","b":"4"}`}},
		"white before a quote": {content: "a,b\n1, \"x, y\"\n3,4\n", rows: []string{"line 2, column 4: white space stands before a quote: remove it", `{"a":"3","b":"4"}`}},
		"zero byte":            {content: "a,b\n1,x\x00\n3,4\n", rows: []string{"line 2, column 4: has a zero byte: if the file is UTF-16, set the encoding utf-16", `{"a":"3","b":"4"}`}},
		"quote never closed":   {content: "a,b\n1,2\n3,\"x\n4,5\n", rows: []string{`{"a":"1","b":"2"}`}, err: "line 3, column 3: the quote that begins here is never closed"},
		"lines after newlines": {content: "a,b\n\"1\r\n2\",x\n3\n", rows: []string{`{"a":"1\r\n2","b":"x"}`, "line 4, column 1: has 1 cells, fewer than the 2 of the header"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, read, err := readAll(test.content, test.options)
			require.Equal(t, test.rows, read)
			if test.err != "" {
				require.EqualError(t, err, test.err)
				return
			}
			require.NoError(t, err)
		})
	}
}

func TestReaderBoundsCells(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 2<<20)
	_, read, err := readAll("id,text\n1,"+large+"\n2,b\n", rows.Options{})
	require.NoError(t, err)
	require.Len(t, read, 2)
	require.Contains(t, read[0], large)

	tooLarge := strings.Repeat("x", rows.MaxCell+1)
	for content, said := range map[string]string{
		"id,text\n1," + tooLarge + "\n2,b\n":                    "line 2, column 3: the cell that begins here has more than 4194304 bytes",
		"id,text\n1,\"" + tooLarge + "\"\n2,b\n":                "line 2, column 3: the cell that begins here has more than 4194304 bytes: is its closing quote missing?",
		"id,text\n1" + strings.Repeat(","+large, 9) + "\n2,b\n": "line 2, column 14680074: the row has more than 16777216 bytes",
	} {
		_, read, err := readAll(content, rows.Options{})
		require.NoError(t, err)
		require.Equal(t, []string{said, `{"id":"2","text":"b"}`}, read)
	}
}

func TestReaderReadsJSONLines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		content string
		columns []string
		rows    []string
		err     string
	}{
		"plain": {"{\"id\":1}\n{\"id\":2,\"name\":\"Zoë\"}", []string{"id", "name"}, []string{`{"id":1}`, `{"id":2,"name":"Zoë"}`}, ""},
		"numbers keep their digits": {
			`{"id":12345678901234567890123,"x":1.10}`, []string{"id", "x"}, []string{`{"id":12345678901234567890123,"x":1.10}`}, "",
		},
		"nested and blank":          {"\ufeff\n { \"a\" : [ 1, {\"b\": null} ] } \r\n\t\n", []string{"a"}, []string{`{"a":[1,{"b":null}]}`}, ""},
		"nothing":                   {"", nil, nil, ""},
		"no JSON":                   {"{\"ä\":x}\n{\"a\":1}\n", []string{"a"}, []string{"line 1, column 6: is no valid JSON", `{"a":1}`}, ""},
		"over several lines":        {"{\n\"a\":1}\n", nil, []string{"line 1, column 2: the object ends too early: write each on one line", "line 2, column 4: is no valid JSON"}, ""},
		"a list":                    {"[{\"a\":1}]\n", nil, []string{"line 1, column 1: is no JSON object: write each row as an object on a line of its own, without a list around them"}, ""},
		"no object":                 {" 7\n", nil, []string{"line 1, column 2: is no JSON object"}, ""},
		"two objects":               {"{\"a\":1} {\"a\":2}\n", nil, []string{"line 1, column 9: is no valid JSON"}, ""},
		"member twice":              {`{"a":1,"a":2}`, []string{"a"}, []string{"line 1, column 10: has the member a twice"}, ""},
		"member without name":       {`{"":1}`, nil, []string{"line 1, column 3: has a member without a name"}, ""},
		"white space around a name": {`{"a ":1}`, nil, []string{"line 1, column 5: the name of a column begins or ends with white space"}, ""},
		"no UTF-8":                  {"{\"a\":\"\xeb\"}\n", nil, []string{"line 1, column 7: the byte 0xEB is no UTF-8: set the encoding, such as windows-1252"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			columns, read, err := readAll(test.content, rows.Options{Format: asteroid.RowsJSONLines})
			require.NoError(t, err)
			require.Equal(t, test.columns, columns)
			require.Equal(t, test.rows, read)
		})
	}
}

func TestReaderReturnsErrorOfSource(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line is dead")
	for _, format := range []asteroid.RowFormat{asteroid.RowsCSV, asteroid.RowsJSONLines} {
		for _, content := range []string{"", "a,b\n1,", "a\n\"b", `{"a"`} {
			reader, err := rows.NewReader(io.MultiReader(strings.NewReader(content), iotest.ErrReader(broken)), rows.Options{Format: format})
			for err == nil {
				_, err = reader.Next()
			}
			require.ErrorIs(t, err, broken)
		}
	}
}

// brokenOnce fails once at its end. Asked again it says that it has ended.
type brokenOnce struct {
	*strings.Reader
	err error
}

func (b *brokenOnce) Read(p []byte) (n int, err error) {
	if b.Len() == 0 && b.err != nil {
		err, b.err = b.err, nil
		return 0, err
	}
	return b.Reader.Read(p)
}

func TestReaderTakesNoErrorForTheEnd(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line is dead")
	for content, format := range map[string]asteroid.RowFormat{
		"a,b": asteroid.RowsCSV, "a,b\r": asteroid.RowsCSV, "a,b\n1,2\r": asteroid.RowsCSV, "a,b\n1,\"2\"": asteroid.RowsCSV,
		"{\"a\":1}\r": asteroid.RowsJSONLines, "{\"a\":1}": asteroid.RowsJSONLines,
	} {
		reader, err := rows.NewReader(&brokenOnce{strings.NewReader(content), broken}, rows.Options{Format: format})
		for err == nil {
			_, err = reader.Next()
		}
		require.ErrorIs(t, err, broken, "%q", content)
	}
}
