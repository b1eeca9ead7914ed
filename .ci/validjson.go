//go:build ignore

// Validjson fails unless its standard input consists of one or more JSON values.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	in := json.NewDecoder(os.Stdin)
	for values := 0; ; values++ {
		var value any
		err := in.Decode(&value)
		if errors.Is(err, io.EOF) && values > 0 {
			return
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "JSON value %d of the output: %v\n", values+1, err)
			os.Exit(1)
		}
	}
}
