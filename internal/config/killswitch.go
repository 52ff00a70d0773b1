package config

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"sluice/buffer"
	"sluice/internal/yamlfile"
)

// killSwitchCheck is how often the file is looked at.
const killSwitchCheck = time.Second

// KillSwitch is a file of rules for spans to drop, which may change while it is in use.
type KillSwitch struct {
	path    string
	log     *slog.Logger
	rules   atomic.Pointer[buffer.KillSwitch]
	version fileVersion
}

// fileVersion tells one content of a file from the next.
type fileVersion struct {
	modified time.Time
	bytes    int64
}

// OpenKillSwitch reads the rules: a YAML list of mappings with organization_id, project_id,
// trace_id and partition. A file that cannot be used is a *UsageError.
func OpenKillSwitch(path string, log *slog.Logger) (*KillSwitch, error) {
	k := &KillSwitch{path: path, log: log, version: versionOf(path)}
	rules, err := readRules(path)
	if err != nil {
		return nil, &UsageError{Err: fmt.Errorf("--kill-switch: %w", err)}
	}
	k.rules.Store(rules)
	return k, nil
}

// Rules returns the rules of the moment.
func (k *KillSwitch) Rules() *buffer.KillSwitch { return k.rules.Load() }

// Watch reads the file again when it has changed and at every signal, until the context is done. A
// file that cannot be used changes nothing, and that is logged.
func (k *KillSwitch) Watch(ctx context.Context, reload <-chan os.Signal) {
	ticker := time.NewTicker(killSwitchCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
			k.reload()
		case <-ticker.C:
			if versionOf(k.path) != k.version {
				k.reload()
			}
		}
	}
}

// reload remembers the version that it was about first, so that a file that cannot be used is
// reported once, and a change during the reading is seen afterwards.
func (k *KillSwitch) reload() {
	k.version = versionOf(k.path)
	rules, err := readRules(k.path)
	if err != nil {
		k.log.Error("kill switch: the file cannot be used, the old rules stay", "error", err)
		return
	}
	k.rules.Store(rules)
	k.log.Info("kill switch: the file was read again", "file", k.path)
}

// versionOf returns the zero value for a file that is not there.
func versionOf(path string) fileVersion {
	info, err := os.Stat(path)
	if err != nil {
		return fileVersion{}
	}
	return fileVersion{modified: info.ModTime(), bytes: info.Size()}
}

func readRules(path string) (*buffer.KillSwitch, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	var rules []buffer.Rule
	if _, err := yamlfile.Read(path, text, &rules); err != nil {
		return nil, err
	}
	k, err := buffer.NewKillSwitch(rules)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}
