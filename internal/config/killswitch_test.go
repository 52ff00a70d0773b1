package config

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/internal/syncbuf"
)

// drops tells whether a span of the organization is dropped.
func drops(k *KillSwitch, organization int64) bool {
	_, matched := k.Rules().Match(organization, &buffer.Span{})
	return matched
}

func TestKillSwitchIsReadAgain(t *testing.T) {
	path := write(t, "kill.yaml", "- organization_id: 1\n")
	log := &syncbuf.Buffer{}
	synctest.Test(t, func(t *testing.T) {
		k, err := OpenKillSwitch(path, slog.New(slog.NewTextHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if !drops(k, 1) || drops(k, 2) {
			t.Fatal("the first rules are not in force")
		}
		reload := make(chan os.Signal)
		go k.Watch(t.Context(), reload)
		change := func(text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			reload <- syscall.SIGHUP
			synctest.Wait()
		}
		change("- organization_id: 1\n- organization_id: 2\n  project_id: 0\n")
		if !drops(k, 2) {
			t.Error("the new rules are not in force")
		}
		change("- organisation_id: 3\n")
		if !drops(k, 1) || !drops(k, 2) || !strings.Contains(log.String(), "the old rules stay") {
			t.Errorf("a bad file must change nothing, and be named:\n%s", log)
		}
		change("[]\n")
		if drops(k, 1) {
			t.Error("an empty list must drop nothing")
		}
	})
}

// Without any signal: the file is looked at once a second.
func TestKillSwitchSeesAChange(t *testing.T) {
	path := write(t, "kill.yaml", "- partition: 7\n")
	synctest.Test(t, func(t *testing.T) {
		k, err := OpenKillSwitch(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		go k.Watch(t.Context(), nil)
		if err := os.WriteFile(path, []byte("- organization_id: 12345\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		<-time.After(killSwitchCheck) // of the test's own clock
		synctest.Wait()
		if !drops(k, 12345) {
			t.Error("the change was not seen")
		}
	})
}

func TestBadKillSwitchAtStart(t *testing.T) {
	cases := []struct{ text, want string }{
		{"- organisation_id: 3\n", `:1:3: [0]: unknown key "organisation_id"; did you mean organization_id?`},
		{"- {}\n", "would drop every span"},
		{"organization_id: 3\n", ":1:1: a list belongs here"},
		{"- trace_id: \"12\"\n", "32 lower-case hex digits"},
	}
	for _, c := range cases {
		_, err := OpenKillSwitch(write(t, "kill.yaml", c.text), slog.New(slog.DiscardHandler))
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want a usage error with %q", c.text, err, c.want)
		}
	}
	_, err := OpenKillSwitch("nosuch.yaml", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "nosuch.yaml") {
		t.Errorf("%v does not name the file", err)
	}
}
