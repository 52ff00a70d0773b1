package main

import (
	"fmt"
	"os"
	"strings"

	"sluice/scenarios"
)

// listCommand is "simulate list".
type listCommand struct{}

// Run lists the library.
func (c *listCommand) Run(to *streams) error {
	for _, name := range scenarios.List() {
		s, err := scenarios.Load(name, nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(to.out, "%-8s %s\n", name, strings.TrimSpace(s.Description))
		fmt.Fprintf(to.out, "%-8s %v, %v, %d workers on %d shards", "", s.Workload.Rate, s.Duration,
			s.Topology.Workers(), s.Topology.Partitions)
		for _, fault := range s.Faults {
			fmt.Fprintf(to.out, "; %v", fault)
		}
		fmt.Fprintln(to.out)
	}
	return nil
}

// validateCommand is "simulate validate".
type validateCommand struct {
	Scenario string `arg:"" help:"A .yaml file, or the name of a scenario of the library."`
}

// Run checks the scenario.
func (c *validateCommand) Run(to *streams) error {
	s, err := scenarios.Load(c.Scenario, os.ReadFile)
	if err != nil {
		return usageError{err}
	}
	_, err = fmt.Fprint(to.out, s)
	return err
}

// schemaCommand is "simulate schema".
type schemaCommand struct{}

// Run prints the schema.
func (c *schemaCommand) Run(to *streams) error {
	text, err := scenarios.Schema()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to.out, "%s\n", text)
	return err
}
