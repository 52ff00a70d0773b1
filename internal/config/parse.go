package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/internal/options"
	"sluice/internal/yamlfile"
)

// UsageError means that what the user wrote is wrong; it says what would be right. Programs end
// with exit code 2 on it.
type UsageError struct{ Err error }

// Error returns the fault in words.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// ErrHelp means that the user asked for help or the version and got it.
var ErrHelp = errors.New("help was asked for")

const (
	// envPrefix begins every variable that is a flag.
	envPrefix   = "SLUICE_"
	description = "Keeps spans in Redis until their segment is complete, then sends whole segments " +
		"to Kafka.\n\nEvery flag can also be set by the variable that stands behind it, or in the " +
		"file that --config names; a flag wins over a variable, and that over the file." +
		"\n\nExit codes: 0 after it was asked to stop; 1 if a server, a right or a topic is missing, or the " +
		"restart budget is used up; 2 for a wrong flag, variable or file; 130 if a second signal ended it."
)

// Parse reads flags, environment and file. Help goes to out. The error is a *UsageError, ErrHelp,
// or about a secret's file.
func Parse(args []string, version string, out io.Writer) (Run, error) {
	f := &flags{}
	asked := false
	parser, err := newParser(f, version, out, &asked)
	if err != nil {
		return Run{}, err
	}
	file := &fileResolver{}
	if path := configPath(args); path != "" {
		text, err := readBounded(path)
		if err == nil {
			file.settings, err = yamlfile.ReadSettings(path, text, flagNames(parser))
		}
		if err := errors.Join(err, file.check(version)); err != nil {
			return Run{}, &UsageError{Err: fmt.Errorf("--config: %w", err)}
		}
		if err := kong.Resolvers(file).Apply(parser); err != nil {
			return Run{}, err
		}
	}
	ignoreEmptyVariables(parser)
	parsed, err := parser.Parse(args)
	switch {
	case asked:
		return Run{}, ErrHelp
	case err != nil:
		return Run{}, &UsageError{Err: err}
	}
	set := func(name string) bool { return given(parsed, name) }
	if err := f.hurry(set); err != nil {
		return Run{}, &UsageError{Err: err}
	}
	if !set("root-timeout") && f.Timeout > 0 {
		f.RootTimeout = min(f.RootTimeout, f.Timeout)
	}
	return f.resolve(set)
}

// fileBytesMax bounds a file of settings or rules.
const fileBytesMax = 1 << 20

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > fileBytesMax {
		return nil, fmt.Errorf("%s has %d bytes: want at most %d", path, info.Size(), fileBytesMax)
	}
	return os.ReadFile(path)
}

// given tells whether a flag was set, by whatever means.
func given(parsed *kong.Context, name string) bool {
	for _, path := range parsed.Path {
		if path.Flag != nil && path.Flag.Name == name {
			return true
		}
	}
	return os.Getenv(envPrefix+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))) != ""
}

// ignoreEmptyVariables treats a variable that is empty as one that is not set, as programs that are
// configured by templates need it.
func ignoreEmptyVariables(parser *kong.Kong) {
	for _, flag := range parser.Model.Flags {
		flag.Envs = slices.DeleteFunc(flag.Envs, func(name string) bool {
			value, set := os.LookupEnv(name)
			return set && value == ""
		})
	}
}

func newParser(f *flags, version string, out io.Writer, asked *bool) (*kong.Kong, error) {
	opts := []kong.Option{
		kong.Name("run"),
		kong.Description(description),
		kong.DefaultEnvars(strings.TrimSuffix(envPrefix, "_")),
		kong.Vars{"version": version},
		kong.Writers(out, out),
		kong.Exit(func(int) { *asked = true }),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 100}),
	}
	for name, mapper := range values {
		opts = append(opts, kong.NamedMapper(name, mapper))
	}
	return kong.New(f, opts...)
}

// configPath finds --config before anything else is parsed.
func configPath(args []string) string {
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--config="); ok {
			return value
		}
		if arg == "--config" && i+1 < len(args) {
			return args[i+1]
		}
		if arg == "--" {
			break
		}
	}
	return os.Getenv(envPrefix + "CONFIG")
}

// flagNames returns what the file may hold.
func flagNames(parser *kong.Kong) []string {
	var names []string
	for _, flag := range parser.Model.Flags {
		if flag.Name != "help" && flag.Name != "version" && flag.Name != "config" {
			names = append(names, flag.Name)
		}
	}
	return names
}

// fileResolver hands the file's settings to kong, where no flag and no variable is set.
type fileResolver struct{ settings []yamlfile.Setting }

var _ kong.Resolver = (*fileResolver)(nil)

// Validate is part of kong.Resolver.
func (r *fileResolver) Validate(*kong.Application) error { return nil }

// Resolve returns the file's value for a flag, or nil.
func (r *fileResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Envs {
		if os.Getenv(env) != "" {
			return nil, nil
		}
	}
	for _, s := range r.settings {
		if s.Key == flag.Name {
			return strings.Join(s.Values, ","), nil
		}
	}
	return nil, nil
}

// check tries every setting alone, so that a wrong value is reported with its place.
func (r *fileResolver) check(version string) error {
	var faults []error
	for _, s := range r.settings {
		asked := false
		parser, err := newParser(&flags{}, version, io.Discard, &asked)
		if err != nil {
			return err
		}
		ignoreEmptyVariables(parser)
		_, err = parser.Parse([]string{"--" + s.Key + "=" + strings.Join(s.Values, ",")})
		if err != nil && !fromEnvironment(err) {
			faults = append(faults, fmt.Errorf("%v: %w", s.At, err))
		}
	}
	return errors.Join(faults...)
}

// fromEnvironment tells whether kong complains about a variable, not about the setting.
func fromEnvironment(err error) bool { return strings.Contains(err.Error(), "(from envar ") }

// UnknownVariables returns the variables that look like a flag's, but are not: a misspelt one
// would otherwise do nothing, in silence. environ is as os.Environ returns it.
func UnknownVariables(environ []string) []string {
	parser, err := newParser(&flags{}, "", io.Discard, new(bool))
	if err != nil {
		return nil
	}
	known := []string{envPrefix + "REDIS_PASSWORD", envPrefix + "KAFKA_PASSWORD"}
	for _, flag := range parser.Model.Flags {
		known = append(known, flag.Envs...)
	}
	var unknown []string
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(known, name) {
			continue
		}
		unknown = append(unknown, name+options.DidYouMean(name, known))
	}
	return unknown
}
