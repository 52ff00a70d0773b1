package main

import (
	"encoding/json"
	"fmt"
	"go/doc/comment"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"sluice/internal/defects"
	"sluice/internal/harness"
	"sluice/internal/options"
	"sluice/internal/portfault"
	"sluice/internal/worlds/wall/fakes"
	"sluice/internal/worlds/wall/real"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// listCommand is "simulate list".
type listCommand struct {
	What string `arg:"" optional:"" enum:"scenarios,faults,defects" default:"scenarios" help:"What to list: scenarios, faults or defects."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// entry is one of a list.
type entry interface{ text(to io.Writer) }

// Run prints the list.
func (c *listCommand) Run(to *streams) error {
	var list []entry
	switch c.What {
	case "faults":
		list = faultList()
	case "defects":
		list = defectList()
	default:
		var err error
		if list, err = scenarioList(); err != nil {
			return err
		}
	}
	if c.JSON {
		return reports.WriteJSON(to.out, list)
	}
	for _, e := range list {
		e.text(to.out)
	}
	if c.What == "faults" {
		_, _ = io.WriteString(to.out, "\n"+indented(portfault.Words()))
	}
	return nil
}

// indented is a paragraph of the list, in lines that fit a terminal of 80 columns.
func indented(text string) string {
	printer := comment.Printer{TextPrefix: "    ", TextWidth: 75}
	return string(printer.Text(new(comment.Parser).Parse(text)))
}

type scenarioEntry struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Rate        string   `json:"rate"`
	Seconds     float64  `json:"duration_seconds"`
	Workers     int      `json:"workers"`
	Shards      int      `json:"shards"`
	Worlds      []string `json:"worlds"` // as flags
	Faults      []string `json:"faults"`
}

func scenarioList() ([]entry, error) {
	var list []entry
	for _, name := range scenarios.List() {
		s, err := scenarios.Load(name, nil)
		if err != nil {
			return nil, err
		}
		e := scenarioEntry{Name: name, Description: strings.TrimSpace(s.Description),
			Rate: s.Workload.Rate.String(), Seconds: s.Duration.Seconds(), Workers: s.Topology.Workers(),
			Shards: s.Topology.Partitions, Worlds: worldsOf(s), Faults: []string{}}
		for _, fault := range s.Faults {
			e.Faults = append(e.Faults, fault.String())
		}
		list = append(list, e)
	}
	return list, nil
}

func (e scenarioEntry) text(to io.Writer) {
	fmt.Fprintf(to, "%s\n%s    %s, %g s, %s on %s\n    worlds: %s\n", e.Name,
		indented(e.Description), e.Rate, e.Seconds, options.FormatCount(e.Workers, "worker"),
		options.FormatCount(e.Shards, "shard"), strings.Join(e.Worlds, ", "))
	for _, fault := range e.Faults {
		fmt.Fprintf(to, "    %s\n", fault)
	}
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

type faultEntry struct {
	Fault string `json:"fault"`
	Means string `json:"means"`
	// Port is true for what --port-fault takes, false for the faults of a scenario.
	Port bool `json:"port"`
}

func faultList() []entry {
	var list []entry
	for _, use := range scenarios.Uses() {
		list = append(list, faultEntry{Fault: use.Form(), Means: use.Means})
	}
	for _, form := range portfault.Forms() {
		list = append(list, faultEntry{form.Form, form.Means, true})
	}
	return list
}

func (e faultEntry) text(to io.Writer) {
	form := e.Fault
	if e.Port {
		form = "--port-fault " + quote(e.Fault)
	}
	fmt.Fprintf(to, "%s\n%s", form, indented(e.Means))
}

type defectEntry struct {
	Defect string `json:"defect"`
	// Invariant, or expectation, is what it violates in the scenario; with the changes of Command, if
	// there are any.
	Invariant string `json:"invariant"`
	Scenario  string `json:"scenario"`
	// Wrong is what the pipeline does with it, Command shows it.
	Wrong   string `json:"wrong"`
	Command string `json:"command"`
}

func defectList() []entry {
	var list []entry
	museum := scenarios.Museum()
	for _, d := range defects.All() {
		scenario, changes := d.Name, []string(nil) // the museum's
		if !slices.Contains(museum, d.Name) {
			scenario, changes = d.Shown, d.Changes
		}
		command := program() + " run " + scenario + " --defect " + d.Name
		for _, change := range changes {
			command += " --set " + quote(change)
		}
		list = append(list, defectEntry{d.Name, d.Caught, scenario, d.Wrong, command})
	}
	return list
}

func (e defectEntry) text(to io.Writer) {
	fmt.Fprintf(to, "%s\n%s    %s\n", e.Defect, indented(e.Wrong+": violates "+e.Invariant), e.Command)
}

// validateCommand is "simulate validate".
type validateCommand struct {
	Scenario string   `arg:"" help:"A .yaml file, or the name of a scenario of the library." completion-predictor:"scenario"`
	World    string   `help:"Also check that this world supports every fault." placeholder:"fakes" completion-predictor:"world"`
	Servers  string   `help:"For world real: how its servers are started, as in run." placeholder:"start" completion-predictor:"servers"`
	Set      []string `help:"Change a key first, as in run." placeholder:"PATH=VALUE" sep:"none"`
	JSON     bool     `name:"json" help:"Print the scenario as JSON, with the worlds."`
}

// validAnswer is a scenario with every default, and where it can run.
type validAnswer struct {
	// Worlds are those that can do all of its faults, as flags of run.
	Worlds []string `json:"worlds"`
	// Scenario has the keys and the values of the file; it is one, too: JSON is YAML.
	Scenario json.RawMessage `json:"scenario"`
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
	s, _, err := loadWritten(around, c.Scenario, c.Set...)
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
	if c.JSON {
		text, err := yaml.YAMLToJSON([]byte(s.String()))
		if err != nil {
			return err
		}
		return reports.WriteJSON(to.out, validAnswer{worlds, text})
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
