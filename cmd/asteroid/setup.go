package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

func (c *cli) newSetupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "setup",
		Short: "Prepare a Temporal namespace: create the search attributes",
		Long: help("Create the search attributes " + strings.Join(asteroid.DefaultSearchAttributes().Names(), ", ") + " in the namespace, in which workflows show their agents, and batches how far they are. " +
			"Those that exist stay. A worker fills them if its configuration says so."),
		Args: usageArgs(cobra.NoArgs),
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			s, err := c.connect(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			wanted := asteroid.DefaultSearchAttributes()
			if err := worker.EnsureSearchAttributes(ctx, s, s.namespace, wanted); err != nil {
				return s.failure(err, "")
			}
			return c.print(map[string]any{"namespace": s.namespace, "searchAttributes": wanted}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "Namespace %s has the search attributes %s.\n", argument(s.namespace), strings.Join(wanted.Names(), ", "))
				return err
			})
		},
	}
}
