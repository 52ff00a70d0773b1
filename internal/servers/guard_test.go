package servers_test

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

// envChild makes this test binary a program that starts servers and then ends in the way the
// variable says.
const envChild = "SLUICE_SERVERS_TEST_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(envChild); how != "" {
		child(how)
	}
	os.Exit(m.Run())
}

// child prints the folder, then the processes it has: the guard first, then the servers.
func child(how string) {
	single, err := servers.StartRedis()
	exitOn(err)
	cluster, err := servers.StartRedisCluster(servers.ClusterMastersMin)
	exitOn(err)
	root, guard, err := servers.Guard()
	exitOn(err)
	frozen, err := servers.StartRedis()
	exitOn(err)
	exitOn(frozen.Freeze())
	stopped, err := servers.StartRedis()
	exitOn(err)
	exitOn(stopped.Stop())
	fmt.Println(root)
	fmt.Println(guard)
	for _, s := range append([]*servers.RedisServer{single, frozen, stopped}, cluster...) {
		fmt.Println(s.Pid())
	}
	fmt.Println("end")
	switch how {
	case "exit":
		os.Exit(0)
	case "panic":
		panic("planted")
	case "wait":
		select {}
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestNoServerOutlivesItsProgram(t *testing.T) {
	servertest.Redis(t) // or the test is skipped
	for _, how := range []string{"exit", "panic", "kill -9"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			root, pids := runChild(t, how)
			for _, pid := range pids {
				eventually(t, fmt.Sprintf("process %d is gone", pid), func() bool { return gone(pid) })
			}
			eventually(t, root+" is removed", func() bool {
				_, err := os.Stat(root)
				return os.IsNotExist(err)
			})
		})
	}
}

// runChild runs the child to its end and returns what it had.
func runChild(t *testing.T, how string) (root string, pids []int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+strings.Replace(how, "kill -9", "wait", 1))
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "end" {
		if root == "" {
			root = lines.Text()
			continue
		}
		pid, err := strconv.Atoi(lines.Text())
		check(t, err)
		pids = append(pids, pid)
	}
	if len(pids) != 7 {
		t.Fatalf("the child named %d processes, want a guard and 6 servers", len(pids))
	}
	if how == "kill -9" {
		if gone(pids[0]) || gone(pids[1]) {
			t.Fatal("guard or server is gone before the child is: the test shows nothing")
		}
		check(t, cmd.Process.Signal(syscall.SIGKILL))
	}
	_ = cmd.Wait() // its exit code is not the question
	return root, pids
}

// gone says whether the process has ended, waited for or not.
func gone(pid int) bool {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return true
	}
	stat, err := p.Stat()
	return err != nil || stat.State == "Z"
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 20s: %s", what)
		}
	}
}

func TestEndedServersAreForgotten(t *testing.T) {
	s := servertest.Redis(t)
	check(t, s.Kill())
	if err := s.Freeze(); err == nil {
		t.Error("a signal to an ended server gave no error")
	}
	check(t, s.Kill()) // nothing to do
	err := syscall.Kill(s.Pid(), 0)
	if err != syscall.ESRCH {
		t.Errorf("process %d is not waited for: %v", s.Pid(), err)
	}
}

func TestServersWriteOnlyInTheirFolder(t *testing.T) {
	s := servertest.Redis(t)
	ask(t, s.Addr, "SET", "k", "v")
	ask(t, s.Addr, "SAVE")
	if _, err := os.Stat(filepath.Join(servers.Dir(s), "dump.rdb")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("dump.rdb"); !os.IsNotExist(err) {
		t.Errorf("dump.rdb in the package's folder: %v, want %v", err, fs.ErrNotExist)
	}
}
