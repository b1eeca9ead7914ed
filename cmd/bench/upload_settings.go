package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// uploadSettings are what the command line of bench upload asks for.
type uploadSettings struct {
	size   int64 // in bytes
	rounds int
	json   bool
}

func parseUpload(args []string, stderr io.Writer) (uploadSettings, error) {
	s := uploadSettings{size: 1 << 30}
	flags := flag.NewFlagSet("upload", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // one line says what is wrong; the whole usage would bury it
	flags.Func("size", "send a file of this `size`, such as 256MiB (default 1GiB)", func(text string) (err error) {
		s.size, err = parseSize(text)
		return err
	})
	flags.IntVar(&s.rounds, "rounds", 7, "send it so `many` times each way, in turn; what is reported are medians")
	flags.BoolVar(&s.json, "json", false, "print one JSON object at the end; progress goes to the standard error output")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, "Send a large file through StageFiles, curl -F and a plain TCP copy, and compare.\n\nUsage: go run ./cmd/bench upload [flags]\n\n")
			flags.SetOutput(stderr)
			flags.PrintDefaults()
			return s, err
		}
		return s, usageError{fmt.Errorf("%w (go run ./cmd/bench upload --help lists the flags)", err)}
	}
	switch {
	case flags.NArg() > 0:
		return s, usageError{fmt.Errorf("%q is no flag (go run ./cmd/bench upload --help lists them)", flags.Arg(0))}
	case s.rounds < 1 || s.rounds > 1000:
		return s, usageError{fmt.Errorf("--rounds %d: give a number from 1 to 1000", s.rounds)}
	}
	return s, nil
}

const maxSize = 64 << 30

// parseSize reads 1GiB, 256MiB, 64KiB or a number of bytes.
func parseSize(text string) (int64, error) {
	number, shift := text, 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			number, shift = rest, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > maxSize>>shift {
		return 0, errors.New("give a size such as 256MiB, from 1 byte to 64GiB")
	}
	return n << shift, nil
}
