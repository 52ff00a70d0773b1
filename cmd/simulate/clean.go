package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/internal/options"
	"sluice/internal/statusline"
	"sluice/internal/worlds/wall"
	"sluice/internal/worlds/wall/real"
	"sluice/reports"
)

// cleanCommand is "simulate clean".
type cleanCommand struct {
	Redis []string `help:"Address of the Redis, host:port; several mean a cluster." env:"SLUICE_REDIS" required:""`
	Kafka []string `help:"Address of the Kafka, host:port." env:"SLUICE_KAFKA" required:""`
	loginFlags
	OlderThan time.Duration `help:"Only what is of runs that began longer ago than this."`
	Yes       bool          `help:"Remove it without asking."`
	JSON      bool          `name:"json" help:"Print the list as JSON; nothing is removed without --yes."`
}

// cleanMax bounds looking for what is left, and removing it, each.
const cleanMax = 10 * time.Minute

// Run lists what runs left on servers, and removes what is of runs that are over.
func (c *cleanCommand) Run(ctx context.Context, to *streams) error {
	access, err := c.access(c.Redis, c.Kafka)
	if err != nil {
		return err
	}
	servers, err := wall.OpenShared(c.Redis, c.Kafka, access)
	if err != nil {
		return err
	}
	defer servers.Close()
	looking, cancel := context.WithTimeout(ctx, cleanMax)
	defer cancel()
	list, err := servers.Litter(looking)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(l wall.Litter) bool { return time.Since(l.Began) < c.OlderThan })
	var printed error
	if c.JSON {
		printed = reports.WriteJSON(to.out, append([]wall.Litter{}, list...))
	} else {
		printed = writeLitter(to.out, list)
	}
	list = slices.DeleteFunc(list, func(l wall.Litter) bool { return l.Alive != "" })
	if printed != nil && !c.Yes || len(list) == 0 || !c.agreed(ctx, to, list) {
		return printed
	}
	removing, cancel := context.WithTimeout(ctx, cleanMax)
	defer cancel()
	if err := servers.Remove(removing, list); err != nil {
		return err
	}
	fmt.Fprintf(to.err, "removed what %s left\n", runs(len(list)))
	return printed
}

// agreed asks whether to remove, if there is someone to ask. Ctrl-C is a no.
func (c *cleanCommand) agreed(ctx context.Context, to *streams, list []wall.Litter) bool {
	switch {
	case c.Yes:
		return true
	case c.JSON || !statusline.New(os.Stdin).Terminal:
		fmt.Fprintf(to.err, "nothing was removed: --yes removes what %s left\n", runs(len(list)))
		return false
	}
	fmt.Fprintf(to.err, "Remove what %s left? [y/N] ", runs(len(list)))
	answers := make(chan string, 1)
	go func() { // it may wait for ever; the program ends
		answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		answers <- answer
	}()
	select {
	case answer := <-answers:
		return strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "y")
	case <-ctx.Done():
		fmt.Fprintln(to.err)
		return false
	}
}

func writeLitter(to io.Writer, list []wall.Litter) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(to, "nothing is left of a run there")
		return err
	}
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\tbegan\ttopics\tgroups\tkeys\t")
	alive := ""
	for _, l := range list {
		state := "left behind"
		if l.Alive != "" {
			state = "alive"
			alive += fmt.Sprintf("%s is alive: %s\n", l.Scenario, l.Alive)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%s\n", l.Scenario, when(l.Began), len(l.Topics),
			len(l.Groups), l.Keys, state)
	}
	err := t.Flush()
	if err == nil {
		_, err = io.WriteString(to, alive)
	}
	return err
}

func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func runs(n int) string { return options.FormatCount(n, "run") }

// lookMax bounds a look at servers on the way to a run.
const lookMax = 5 * time.Second

// mentionLitter says what earlier runs left on given servers. What hinders it from finding out
// hinders the run, too, which says so.
func (f worldFlags) mentionLitter(ctx context.Context, to io.Writer) {
	if f.World != (real.World{}).Name() || f.Servers != "" {
		return
	}
	access, err := f.access(f.Redis, f.Kafka)
	if err != nil {
		return
	}
	servers, err := wall.OpenShared(f.Redis, f.Kafka, access)
	if err != nil {
		return
	}
	defer servers.Close()
	ctx, cancel := context.WithTimeout(ctx, lookMax)
	defer cancel()
	if list, err := servers.HasLitter(ctx); err == nil && len(list) > 0 {
		fmt.Fprintf(to, "%s left topics and keys on these servers, the first on %s: to remove them,\n"+
			"    %s clean --redis %s --kafka %s%s\n", runs(len(list)), when(list[0].Began), program(),
			quote(strings.Join(f.Redis, ",")), quote(strings.Join(f.Kafka, ",")), f.loginFlags.replay())
	}
}
