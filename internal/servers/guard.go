package servers

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// guardScript outlives this program by a moment. It reads what to clean up from its standard
// input, whose other end only this program holds: end of file therefore means that this program is
// gone, in whatever way, kill -9 included. (Pdeathsig would not do: it is bound to the thread that
// forked, and Go ends threads.)
//
// A killed server may write a last file while its folder is being removed, hence the repeats.
const guardScript = `
trap '' HUP INT TERM
root=$1 pids=
while read -r verb pid; do
  case $verb in
    add) pids="$pids $pid" ;;
    del) kept=; for p in $pids; do [ "$p" = "$pid" ] || kept="$kept $p"; done; pids=$kept ;;
  esac
done
[ -z "$pids" ] || kill -9 $pids
tries=0
until rm -rf -- "$root" && [ ! -e "$root" ]; do
  tries=$((tries + 1)); [ $tries -lt 100 ] || exit 1
  sleep 0.1
done
`

// guard is the one watching process of this program, and the folder that all servers keep their
// files in.
type guard struct {
	mu    sync.Mutex
	root  string
	names int
	pipe  io.Writer
	pid   int
}

// theGuard starts the guard at the first use.
var theGuard = sync.OnceValues(func() (*guard, error) {
	root, err := os.MkdirTemp("", "sluice-servers-")
	if err != nil {
		return nil, fmt.Errorf("make the servers' folder: %w", err)
	}
	cmd := exec.Command("sh", "-c", guardScript, "sluice-guard", root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start the guard of the servers: %w", err)
	}
	return &guard{root: root, pipe: pipe, pid: cmd.Process.Pid}, nil
})

// dir makes a fresh folder for one server.
func (g *guard) dir(name string) (string, error) {
	g.mu.Lock()
	g.names++
	path := filepath.Join(g.root, fmt.Sprintf("%s-%d", name, g.names))
	g.mu.Unlock()
	return path, os.Mkdir(path, 0o700)
}

// add has the process killed when this program is gone.
func (g *guard) add(pid int) error { return g.say("add", pid) }

// del takes back an add. It comes after the process was waited for; until then its number cannot
// be reused.
func (g *guard) del(pid int) error { return g.say("del", pid) }

func (g *guard) say(verb string, pid int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, err := fmt.Fprintf(g.pipe, "%s %d\n", verb, pid); err != nil {
		return fmt.Errorf("tell the guard of the servers (%s %d): %w", verb, pid, err)
	}
	return nil
}
