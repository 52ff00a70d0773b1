package redisstore

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"strings"

	"github.com/redis/rueidis"
)

//go:embed lua/*.lua
var lua embed.FS

// script is the text of one step and the name under which a server caches it.
type script struct {
	text, sha string
}

// scripts are the steps. Those that make room run without room.
type scripts struct {
	attach, claim, ack, sweep                script
	enqueue, fence, giveBack, lease, release script
	adopt, beat, advance                     script
}

const (
	noFlags  = "#!lua\n"
	allowOOM = "#!lua flags=allow-oom\n"
)

// newScripts makes the scripts. A server that does not know the line "#!lua" gets them without it;
// of those we know only miniredis, which never is out of memory.
func newScripts(shebang bool) scripts {
	text := func(flags string, names ...string) script {
		parts := make([]string, len(names))
		for i, name := range names {
			part, err := lua.ReadFile("lua/" + name + ".lua")
			if err != nil {
				panic("an embedded script cannot be read: " + err.Error())
			}
			parts[i] = string(part)
		}
		whole := strings.Join(parts, "\n")
		if shebang {
			whole = flags + whole
		}
		sum := sha1.Sum([]byte(whole))
		return script{text: whole, sha: hex.EncodeToString(sum[:])}
	}
	return scripts{
		attach: text(noFlags, "trace", "small", "quick", "attach_begin",
			"attach_read", "lists", "attach_write", "giant", "attach_general", "attach"),
		claim:    text(allowOOM, "trace", "small", "flush", "claim"),
		ack:      text(allowOOM, "trace", "small", "flush", "ack"),
		sweep:    text(allowOOM, "trace", "small", "sweep"),
		enqueue:  text(allowOOM, "shard", "enqueue"),
		fence:    text(allowOOM, "shard", "fence"),
		giveBack: text(allowOOM, "shard", "give_back"),
		lease:    text(allowOOM, "shard", "lease"),
		release:  text(allowOOM, "shard", "release"),
		adopt:    text(allowOOM, "shard", "adopt"),
		beat:     text(allowOOM, "beat"),
		advance:  text(allowOOM, "shard", "advance"),
	}
}

// plain are the scripts as a server without "#!lua" gets them.
var plain = newScripts(false)

// NeedsRoom tells whether a command of miniredis is one of the step that a full Redis refuses, Attach.
// With it a fake, which has no memory limit, can be full.
func NeedsRoom(command string, args ...string) bool {
	if len(args) == 0 {
		return false
	}
	switch strings.ToUpper(command) {
	case "EVALSHA":
		return args[0] == plain.attach.sha
	case "EVAL":
		return args[0] == plain.attach.text
	case "SET":
		return len(args) == 3 && strings.EqualFold(args[2], "NX") // of a small trace
	}
	return false
}

// call is one run of a script.
type call struct {
	keys, args []string
}

// eval runs a script several times, in one pipeline for each server, and returns the answers in
// order, behind those of other commands that go with them. A server that does not have the script in its cache, because it was restarted or another
// took over, is given it.
func (s *Store) eval(
	ctx context.Context, what script, calls []call, others ...rueidis.Completed,
) []rueidis.RedisResult {
	commands := append(make(rueidis.Commands, 0, len(others)+len(calls)), others...)
	for _, c := range calls {
		commands = append(commands, s.client.B().Evalsha().Sha1(what.sha).
			Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build())
	}
	all := s.client.DoMulti(ctx, commands...)
	results := all[len(others):]
	var missed []int
	for i := range results {
		if err, ok := rueidis.IsRedisErr(results[i].Error()); ok && err.IsNoScript() {
			missed = append(missed, i)
		}
	}
	if len(missed) == 0 {
		return all
	}
	commands = make(rueidis.Commands, len(missed))
	for n, i := range missed {
		commands[n] = s.client.B().Eval().Script(what.text).
			Numkeys(int64(len(calls[i].keys))).Key(calls[i].keys...).Arg(calls[i].args...).Build()
	}
	for n, result := range s.client.DoMulti(ctx, commands...) {
		results[missed[n]] = result
	}
	return all
}

// evalOne runs a script once.
func (s *Store) evalOne(ctx context.Context, what script, c call) rueidis.RedisResult {
	return s.eval(ctx, what, []call{c})[0]
}
