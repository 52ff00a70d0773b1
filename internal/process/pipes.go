package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// drainMax bounds the wait for a dead child's pipes to end. They end with it, unless something it
// started holds them open; nothing should.
const drainMax = time.Second

// program is the path by which this program starts itself.
func program() (string, error) {
	if runtime.GOOS == "linux" {
		// The file may have been replaced by a newer one while this process runs; a child of another
		// version is not wanted.
		return "/proc/self/exe", nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program's own file: %w", err)
	}
	return path, nil
}

// pipes are the parent's ends.
type pipes struct{ orders, reports, stderr *os.File }

// connect starts the process with its three pipes.
func connect(cmd *exec.Cmd) (_ pipes, err error) {
	var ours, theirs []*os.File
	defer func() {
		closeAll(theirs)
		if err != nil {
			closeAll(ours)
		}
	}()
	for i := range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			return pipes{}, err
		}
		if i == 0 {
			r, w = w, r // the parent writes orders and reads the rest
		}
		ours, theirs = append(ours, r), append(theirs, w)
	}
	cmd.Stdin, cmd.ExtraFiles, cmd.Stderr = theirs[0], []*os.File{theirs[1]}, theirs[2]
	if err := cmd.Start(); err != nil {
		return pipes{}, err
	}
	return pipes{orders: ours[0], reports: ours[1], stderr: ours[2]}, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// drain waits for the readers of reports and stderr to come to the end of what a dead child wrote,
// and closes both.
func (p pipes) drain(readers *sync.WaitGroup) {
	deadline := time.Now().Add(drainMax)
	_ = p.reports.SetReadDeadline(deadline)
	_ = p.stderr.SetReadDeadline(deadline)
	readers.Wait()
	closeAll([]*os.File{p.reports, p.stderr})
}

// reportPipe returns the child's end of its pipe to the parent. It is an error if this process has
// no such pipes: somebody started it who is not its parent program.
func reportPipe() (*os.File, error) {
	const fd = 3
	// Without blocking, so that a last report to a parent that does not read can be given up; and
	// not for what this process itself starts.
	_ = syscall.SetNonblock(fd, true)
	syscall.CloseOnExec(fd)
	reports := os.NewFile(fd, "reports")
	return reports, errors.Join(wantPipe(os.Stdin), wantPipe(reports))
}

// wantPipe refuses anything but a pipe.
func wantPipe(f *os.File) error {
	if f == nil {
		return errors.New("no report pipe")
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeNamedPipe == 0 {
		return fmt.Errorf("%s is not a pipe", f.Name())
	}
	return nil
}
