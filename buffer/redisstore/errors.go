package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// passing are the first words of those errors of Redis that pass by themselves.
var passing = map[string]bool{
	"LOADING": true, "CLUSTERDOWN": true, "TRYAGAIN": true, "MASTERDOWN": true, "READONLY": true,
	"BUSY": true, "MISCONF": true, "NOREPLICAS": true, "NOSCRIPT": true, "MOVED": true, "ASK": true,
	"UNBLOCKED": true,
}

// passingTexts are those that have no first word of their own: of a Redis that has no room for a connection (the
// client mostly sees that it is closed), and of a script that was ended from outside, before it wrote.
var passingTexts = []string{"max number of clients", "Script killed by user"}

// refusals are words of Redis to a user who may not do something, in a script too, or not come in. It
// may be allowed again, and what else could be done would not help: so that passes, too.
var refusals = []string{
	"NOPERM", "NOAUTH", "WRONGPASS", "DENIED", "ACL failure in script", "The user executing the script can't",
}

// refuses tells whether Redis refuses the user, and not the command.
func refuses(text string) bool { return says(text, refusals) }

func says(text string, list []string) bool {
	return slices.ContainsFunc(list, func(words string) bool { return strings.Contains(text, words) })
}

// earlyMax is how much earlier than a context's deadline the client may give up.
const earlyMax = 20 * time.Millisecond

func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// classify turns an error of the client into one of those that buffer.Store promises. An error of
// the caller's own context stays what it is.
func classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	// The client times the context's deadline itself, and may be a little early.
	deadline, ok := ctx.Deadline()
	if ok && isTimeout(err) && time.Until(deadline) < earlyMax {
		return context.DeadlineExceeded
	}
	reply, ok := rueidis.IsRedisErr(err)
	if !ok {
		if rueidis.IsParseErr(err) {
			return err
		}
		// Not Redis' own words: the connection was refused, broken or closed, or is too slow.
		return fmt.Errorf("%w: %w", buffer.ErrUnavailable, err)
	}
	return classifyReply(reply.Error())
}

// classifyReply does so with Redis' own words.
func classifyReply(text string) error {
	word, rest, _ := strings.Cut(text, " ")
	switch {
	case word == "STALE":
		return fmt.Errorf("%w: %s", buffer.ErrStale, rest)
	case word == "SETBACK":
		return fmt.Errorf("%w: %s", buffer.ErrSetBack, rest)
	case word == "OOM":
		return fmt.Errorf("%w: %s", buffer.ErrFull, text)
	case passing[word], says(text, passingTexts):
		return fmt.Errorf("%w: %s", buffer.ErrUnavailable, text)
	case refuses(text):
		return fmt.Errorf("%w to this user: %s", buffer.ErrUnavailable, text)
	}
	return errors.New(text)
}

// scriptFaults are in what Redis says of a script that failed at what it read.
var scriptFaults = []string{"script", "WRONGTYPE"}

// unread makes of such an error of a step on traces one that says so: what is under the key of one of them is
// damaged, or no trace at all.
func unread(err error) error {
	if err == nil || buffer.Retryable(err) || !says(err.Error(), scriptFaults) {
		return err
	}
	return fmt.Errorf("trace is %w: %w", buffer.ErrDamaged, err)
}
