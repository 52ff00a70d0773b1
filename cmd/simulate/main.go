// Command simulate runs scenarios: it drives the flusher with a load, breaks it on purpose, proves
// with an exact ledger what became of every span, and draws what happened.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"

	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/internal/process"
	"sluice/internal/yamlfile"
)

func main() {
	// The consumers are this program, started again, and so are their workers.
	process.MaybeChild()
	// Whoever reads only the head of what is printed must not end a run: its writes fail, and it goes on.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// commands is the command line.
type commands struct {
	Run          runCommand          `cmd:"" help:"Run a scenario and judge the outcome."`
	Sweep        sweepCommand        `cmd:"" help:"Run a scenario with several process counts."`
	Explore      exploreCommand      `cmd:"" help:"Try every interleaving and fault of a small system."`
	Replay       replayCommand       `cmd:"" help:"Make a run again from its directory, and compare."`
	Shrink       shrinkCommand       `cmd:"" help:"Make the scenario of a failed virtual run as small as it can be."`
	Certainty    certaintyCommand    `cmd:"" help:"Find when the failure of a virtual run became certain."`
	Capacity     capacityCommand     `cmd:"" help:"Find how many processes a workload needs." set:"rate_is=: without --target, the search begins at its highest rate"`
	Diff         diffCommand         `cmd:"" help:"Say what differs between two directories of results."`
	Fit          fitCommand          `cmd:"" help:"Fit the Universal Scalability Law to measured points."`
	Calibrate    calibrateCommand    `cmd:"" help:"Measure on real servers what the virtual world's steps take."`
	Compare      compareCommand      `cmd:"" help:"Run a scenario in two worlds: what is predicted beside what is measured."`
	Accuracy     accuracyCommand     `cmd:"" help:"Sum up comparisons: how far off predictions are, at the median and at worst."`
	CheckBackend checkBackendCommand `cmd:"" help:"Try whether a Redis and a Kafka of yours do what is needed."`
	List         listCommand         `cmd:"" help:"List scenarios, faults or defects."`
	Validate     validateCommand     `cmd:"" help:"Check a scenario and print it with all defaults."`
	Clean        cleanCommand        `cmd:"" help:"Remove what killed runs left on servers."`
	Schema       schemaCommand       `cmd:"" help:"Print the JSON Schema of scenario files, for editors."`

	Completion kongcompletion.Completion `cmd:"" help:"Say how to complete commands, flags and names in bash, zsh or fish."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

const description = "Run the flusher under load and faults, and account for every span."

const examples = `Examples:
  simulate run hang
  simulate run crash --seed 7 --out runs/mine
  simulate run my.yaml --world real --redis 127.0.0.1:6379 --kafka 127.0.0.1:9092
  simulate sweep steady --processes 1,2,4 --repeat 3 --rate "constant 20000/s"
  simulate explore protocol --workers 2 --spans 4 --faults 2
  simulate capacity steady --target 60000/s --headroom 30%
  simulate calibrate --servers start --out calibration.yaml
  simulate compare steady --costs calibration.yaml --servers start --processes 1,2,4
  simulate accuracy runs/steady-compare runs/late-spans-compare
  simulate check-backend --redis HOST:6379 --kafka HOST:9092
  simulate validate my.yaml
  simulate diff runs/before runs/after --rule "freshness_p99 <= +10%"
  simulate replay runs/hang-1
  simulate shrink runs/mine
  simulate certainty runs/mine

Exit codes: 0 passed, 1 environment, 2 usage or bad scenario, 10 safety violated,
11 liveness violated, 12 not the same again, 13 expectation missed, 14 unknown,
also what Ctrl-C ended.`

// streams are where a command writes.
type streams struct {
	out, err io.Writer
}

// usageError is a mistake on the command line or in a scenario.
type usageError struct{ error }

// Unwrap returns the fault.
func (e usageError) Unwrap() error { return e.error }

// exitError ends the program with a code and no further message.
type exitError int

// Error names the code.
func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// run is main, with its exit code.
func run(args []string, out, errs io.Writer) int {
	cli := &commands{}
	ended := false
	parser, err := kong.New(cli, kong.Name("simulate"), kong.Writers(out, errs),
		kong.Description(description+"\n\n"+examples), kong.Vars{"version": process.Version()},
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
		kong.Exit(func(int) { ended = true }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(errs, "simulate:", err)
		return judge.ExitUsage
	}
	if kongcompletion.Register(parser, predictors...); ended { // a shell asked what may come next
		return judge.ExitPassed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if ended { // help or the version was asked for
		return judge.ExitPassed
	}
	if err != nil {
		fmt.Fprintf(errs, "simulate: %v\nTry simulate --help.\n", err)
		return judge.ExitUsage
	}
	// The first signal ends the run cleanly, a second one ends the program.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	parsed.BindTo(ctx, (*context.Context)(nil))
	code := exitCode(parsed.Run(&streams{out: out, err: errs}), errs)
	if ctx.Err() != nil && code == judge.ExitEnvironment { // whatever did not come about because of it
		code = judge.ExitUnknown
	}
	return code
}

// decodeDuration reads a flag's duration as one in a scenario is read: kong's own errors do not say what to
// write.
func decodeDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	err := ctx.Scan.PopValueInto("duration", &text)
	if err != nil {
		return err
	}
	d, err := options.ParseDuration(text)
	target.SetInt(int64(d))
	return err
}

// exitPipe is the exit code of a program whose output nobody reads to its end, as that of any other: of
// one that SIGPIPE ended.
const exitPipe = 128 + int(syscall.SIGPIPE)

func exitCode(err error, errs io.Writer) int {
	var exit exitError
	var usage usageError
	var problems yamlfile.Problems
	var closed *fs.PathError
	switch {
	case err == nil:
		return judge.ExitPassed
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &closed) && closed.Path == os.Stdout.Name() && errors.Is(err, syscall.EPIPE):
		return exitPipe
	case errors.As(err, &problems):
		fmt.Fprintln(errs, problems)
		return judge.ExitUsage
	}
	fmt.Fprintln(errs, "simulate:", err)
	if errors.As(err, &usage) {
		return judge.ExitUsage
	}
	return judge.ExitEnvironment
}
