package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/kafkaio"
	"sluice/internal/options"
	"sluice/internal/process/worker"
)

// values are how flags are read that are not plain words or numbers, by the type in their tag.
var values = map[string]kong.Mapper{
	"duration":          as(options.ParseDuration),
	"positive-duration": as(parsePositive),
	"optional-duration": or(options.Off, 0, options.ParseDuration),
	"patience":          as(parsePatience),
	"size":              or(options.Off, 0, options.ParseSize),
	"count":             or("broker", kafkaio.BrokerDefault, options.Count[int16](1)),
	"number":            as(options.Between(1, countMax)),
	"held":              as(options.Between(1, buffer.HeldMax)),
	"threads":           as(options.Between(1, worker.ThreadsMax)),
	"budget":            as(options.Between(0, countMax)),
	"processes":         or("per-shard", flusher.PerShard, options.Between(1, countMax)),
	"unhealthy":         as(parseUnhealthy),
	"share":             or(options.Off, flusher.MemoryOff, parseShare),
	"listen":            as(parseListen),
}

// countMax is the largest number that a flag takes, where nothing narrower is said.
const countMax = 1_000_000

// as reads a flag of type T.
func as[T any](parse func(text string) (T, error)) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("value", &text); err != nil {
			return err
		}
		v, err := parse(text)
		target.Set(reflect.ValueOf(v))
		return err
	}
}

// or reads a flag of type T, or the word that stands for a value.
func or[T any](word string, value T, parse func(text string) (T, error)) kong.MapperFunc {
	return as(func(text string) (T, error) { return options.Or(text, word, value, parse) })
}

// parsePositive reads a duration of more than 0.
func parsePositive(text string) (time.Duration, error) {
	d, err := options.ParseDuration(text)
	if err == nil && d == 0 {
		err = fmt.Errorf("%q is no time to wait: write more than 0, such as 10s", text)
	}
	return d, err
}

// unhealthyMin is the shortest silence that can tell a hung worker from one whose report is on its way.
const unhealthyMin = 100 * time.Millisecond

// parseUnhealthy reads a duration of at least unhealthyMin.
func parseUnhealthy(text string) (time.Duration, error) {
	d, err := parsePositive(text)
	if err == nil && d < unhealthyMin {
		err = fmt.Errorf("%q is no longer than a sign of life takes to arrive: write %s or more, such as 60s",
			text, unhealthyMin)
	}
	return d, err
}

// parseShare reads a share of more than 0.
func parseShare(text string) (float64, error) {
	share, err := options.ParseShare(text)
	if err == nil && share == 0 {
		err = fmt.Errorf("%q is no share: write more than 0, for example 0.8 or 80%%", text)
	}
	return share, err
}

// parsePatience reads a duration or "none": waiting forever.
func parsePatience(text string) (time.Duration, error) {
	d, err := options.Or(text, "none", flusher.NoTimeout, options.ParseDuration)
	if err != nil {
		err = fmt.Errorf("%w to wait as long as it takes", err)
	}
	return d, err
}

// parseListen reads "host:port", or "off" (also empty), which is empty.
func parseListen(text string) (string, error) {
	if text == options.Off || text == "" {
		return "", nil
	}
	if _, port, _ := strings.Cut(text, ":"); port == "" {
		return "", fmt.Errorf("%q is not an address: want host:port, such as 127.0.0.1:8080, or off", text)
	}
	return text, nil
}
