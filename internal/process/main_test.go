package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// echo is a child that reports what it is told by its settings, and ends with the last word in it.
var echo = Register(Role[settings, string]{
	Name:   "echo",
	Rhythm: Rhythm{Farewell: time.Minute},
	Run: func(stop context.Context, s settings, parent *Parent[string]) error {
		if s.Word != "" {
			return errors.New(s.Word)
		}
		parent.Report(func() []string { return s.Say })
		return nil
	},
})

type settings struct {
	Say  []string
	Word string
}

func TestMain(m *testing.M) {
	MaybeChild()
	if filepath.Base(os.Args[0]) == dockerProxy {
		forward()
		return
	}
	os.Exit(m.Run())
}

func TestTheHiddenArgumentIsNotForTheCommandLine(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", echo.marker(), "0")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != CodeMisused || !strings.Contains(string(out), "starts itself") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestANameIsTakenOnce(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("two roles have one name")
		}
	}()
	Register(Role[int, int]{Name: echo.Name})
}
