package process

import (
	"runtime/debug"
	"strings"
)

// Version is what the toolchain recorded in this program: version, commit and its own version.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			text += " " + s.Value
		}
	}
	return strings.TrimSpace(text + " " + info.GoVersion)
}
