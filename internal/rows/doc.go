// Package rows reads files of rows, CSV or JSON lines, fills a template with the values of a row,
// and writes files of results. It does no I/O of its own.
//
//	reader, err := rows.NewReader(content, rows.Options{Format: asteroid.RowsCSV})
//	for {
//		row, err := reader.Next() // io.EOF at the end
//		...
//		if row.Problem != nil { // the row is malformed, and the next one can be read
//		...
//		input := template.Expand(row.Cells)
//	}
//
// One row is in memory at a time. A [Problem] names line and column as an editor shows them, and
// never the content of a cell. The error of [NewReader] or [Reader.Next] is a *FileError if the
// rest of the file cannot be read, else that of the source.
//
// # CSV
//
// The first line that is not empty names the columns. Cells are separated by the character among
// , ; | and tab that this line has most often, or the one that a line sep=; before it names. A cell
// in double quotes may hold separators, line breaks, and quotes written twice. A quote within an
// unquoted cell is text. Lines end with a line feed, a carriage return or both. Lines whose cells
// are all blank are ignored. Cells keep their white space, names of columns do not.
//
// # JSON lines
//
// Each line that is not blank is an object. The columns are the members of all objects. Numbers
// keep their digits.
package rows
