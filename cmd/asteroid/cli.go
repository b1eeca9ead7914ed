package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// cli is what all commands share: the streams and the global flags.
type cli struct {
	in       io.Reader
	out, err io.Writer
	json     bool // print JSON instead of text for people
	temporal temporalSettings
}

func newRootCommand(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:           "asteroid",
		Short:         "Run Asteroid agents through Temporal",
		Version:       version(),
		Long:          "Run Asteroid agents through Temporal.\n\n" + exitCodes,
		SilenceErrors: true, // exit prints one line
		SilenceUsage:  true,
		Args:          usageArgs(cobra.NoArgs),
		RunE:          func(command *cobra.Command, _ []string) error { return command.Help() },

		SuggestionsMinimumDistance: 2, // letters by which a mistyped command may differ
	}
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return usageErrorf("%w (%s --help lists the flags)", err, command.CommandPath())
	})
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print JSON")
	c.temporal.addFlags(root.PersistentFlags())
	root.AddCommand(
		c.newWorkerCommand(), c.newDevCommand(),
		c.newRunCommand(), c.newListCommand(), c.newShowCommand(), c.newResultCommand(),
		c.newAnswerCommand(), c.newMessageCommand(), c.newPauseCommand(), c.newResumeCommand(), c.newCancelCommand(),
		c.newFilesCommand(), c.newBatchCommand(), c.newLimitsCommand(), c.newAgentsCommand(), c.newGenerateCommand(), c.newDoctorCommand(), c.newSetupCommand(),
	)
	return root
}

// usageArgs makes a command report wrong arguments as a usage error.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		err := check(command, args)
		if err == nil {
			return nil
		}
		if len(args) > 0 {
			if similar := command.SuggestionsFor(args[0]); len(similar) > 0 {
				return usageErrorf("%w: did you mean %s?", err, strings.Join(similar, " or "))
			}
		}
		return usageErrorf("%w (%s --help shows the arguments)", err, command.CommandPath())
	}
}

// print writes value as indented JSON with --json, and calls human otherwise.
func (c *cli) print(value any, human func(out io.Writer) error) error {
	if !c.json {
		return human(c.out)
	}
	encoded, err := indented(value)
	if err == nil {
		_, err = io.WriteString(c.out, encoded)
	}
	return err
}

// printTable writes rows below a header, in aligned columns.
func printTable(out io.Writer, header []string, rows [][]string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}
