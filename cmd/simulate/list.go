package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"sluice/internal/defects"
	"sluice/internal/harness"
	"sluice/internal/portfault"
	"sluice/internal/worlds/wall/fakes"
	"sluice/internal/worlds/wall/real"
	"sluice/scenarios"
	"sluice/sim"
)

// listCommand is "simulate list".
type listCommand struct {
	What string `arg:"" optional:"" enum:"scenarios,faults,defects" default:"scenarios" help:"What to list: scenarios, faults or defects."`
}

// Run prints the list.
func (c *listCommand) Run(to *streams) error {
	switch c.What {
	case "faults":
		return listFaults(to.out)
	case "defects":
		return listDefects(to.out)
	}
	return listScenarios(to.out)
}

func listScenarios(to io.Writer) error {
	for _, name := range scenarios.List() {
		s, err := scenarios.Load(name, nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(to, "%s\n    %s\n", name, strings.TrimSpace(s.Description))
		fmt.Fprintf(to, "    %v, %v, %d workers on %d shards; worlds: %s\n", s.Workload.Rate, s.Duration,
			s.Topology.Workers(), s.Topology.Partitions, strings.Join(worldsOf(s), ", "))
		for _, fault := range s.Faults {
			fmt.Fprintf(to, "    %v\n", fault)
		}
	}
	return nil
}

// worldsOf returns the flags of the worlds that support every fault of a scenario.
func worldsOf(s scenarios.Scenario) []string {
	var worlds []string
	for _, w := range []struct {
		flags string
		world harness.World
	}{
		{"virtual", sim.World{}},
		{"fakes", fakes.World{}},
		{"real", real.World{}},
		{"real --servers start", real.World{Servers: real.Start}},
	} {
		if s.CheckFaults(w.world.Can) == nil {
			worlds = append(worlds, w.flags)
		}
	}
	return worlds
}

func listFaults(to io.Writer) error {
	for _, use := range scenarios.Uses() {
		fmt.Fprintf(to, "%s\n    %s\n", use.Form(), use.Means)
	}
	fmt.Fprintf(to, "\nAt ports, with run --port-fault FAULT in any scenario:\n\n")
	for _, form := range portfault.Forms() {
		fmt.Fprintf(to, "%s\n    %s\n", form.Form, form.Means)
	}
	fmt.Fprintf(to, "\n%s\n", portfault.Words())
	return nil
}

func listDefects(to io.Writer) error {
	for _, d := range defects.All() {
		fmt.Fprintf(to, "%s\n    %s: violates %s\n    simulate run %s --defect %s", d.Name, d.Wrong,
			d.Caught, d.Shown, d.Name)
		for _, change := range d.Changes {
			fmt.Fprintf(to, " --set %q", change)
		}
		fmt.Fprintln(to)
	}
	return nil
}

// validateCommand is "simulate validate".
type validateCommand struct {
	Scenario string   `arg:"" help:"A .yaml file, or the name of a scenario of the library."`
	World    string   `help:"Also check that this world supports every fault." placeholder:"fakes"`
	Servers  string   `help:"For world real: how its servers are started, as in run." placeholder:"start"`
	Set      []string `help:"Change a key first, as in run." placeholder:"PATH=VALUE" sep:"none"`
}

// Run checks the scenario, and prints it with every default, and where it can run.
func (c *validateCommand) Run(to *streams) error {
	around := scenarios.Around{}
	if c.World != "" {
		var err error
		if around, err = (worldFlags{World: c.World, Servers: c.Servers}).around(); err != nil {
			return err
		}
	}
	s, _, err := around.Load(c.Scenario, os.ReadFile, c.Set...)
	if err != nil {
		return usageError{err}
	}
	worlds := worldsOf(s)
	if cluster := (real.World{Servers: real.StartCluster}); len(worlds) == 0 {
		worlds = []string{"real --servers start-cluster"}
		if err := s.CheckFaults(cluster.Can); err != nil {
			worlds = []string{fmt.Sprintf("real, on servers that can do all of it (%v)", err)}
		}
	}
	_, err = fmt.Fprintf(to.out, "# Runs in these worlds: %s.\n%v", strings.Join(worlds, ", "), s)
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
