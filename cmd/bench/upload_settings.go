package main

import (
	"errors"
	"flag"
	"io"
	"strconv"
	"strings"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

// uploadSettings are the flags of bench upload.
type uploadSettings struct {
	size   int64 // in bytes
	rounds int
	json   bool
}

func parseUpload(args []string, stderr io.Writer) (uploadSettings, error) {
	s := uploadSettings{size: 1 << 30}
	flags := flag.NewFlagSet("bench upload", flag.ContinueOnError)
	flags.Func("size", "send a file of this `size`, such as 256MiB (default 1GiB)", func(text string) (err error) {
		s.size, err = parseSize(text)
		return err
	})
	flags.IntVar(&s.rounds, "rounds", 7, "send it this `many` times each way, in turn, and report the medians")
	flags.BoolVar(&s.json, "json", false, "print one JSON object at the end; progress goes to the standard error output")
	if err := program.ParseFlags(flags, args, stderr, "Send a large file through StageFiles, curl -F and a plain TCP copy, and compare."); err != nil {
		return s, err
	}
	if s.rounds < 1 || s.rounds > 1000 {
		return s, program.UsageErrorf("--rounds %d: give a number from 1 to 1000", s.rounds)
	}
	return s, nil
}

const maxSize = 64 << 30

// parseSize parses a size such as 1GiB, 256MiB, 64KiB, or a number of bytes.
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
