package servers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	redisReadyMax = 20 * time.Second
	redisStopMax  = 10 * time.Second
)

// RedisServer is one Redis process on a loopback port that stays the same over restarts. It has no
// persistence unless its arguments ask for it. Not safe for concurrent use.
type RedisServer struct {
	server
	port int
	args []string
}

// StartRedis starts a Redis 7 server with further arguments in the words of redis-server
// ("--maxmemory", "64mb") and returns when it answers.
func StartRedis(args ...string) (*RedisServer, error) {
	return startRedisWith(func() ([]string, error) { return args, nil })
}

// startRedisWith asks for the arguments anew at every try, as they may name a port too.
func startRedisWith(args func() ([]string, error)) (*RedisServer, error) {
	if err := redisInstalled(); err != nil {
		return nil, err
	}
	g, err := theGuard()
	if err != nil {
		return nil, err
	}
	return retryPorts(func() (*RedisServer, error) {
		dir, err := g.dir("redis")
		if err != nil {
			return nil, fmt.Errorf("start redis: %w", err)
		}
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		given, err := args()
		if err != nil {
			return nil, err
		}
		s := &RedisServer{
			server: server{Addr: loopback(port), dir: dir, stopMax: redisStopMax}, port: port, args: given,
		}
		if err := s.Start(); err != nil {
			return nil, errors.Join(err, s.Kill())
		}
		return s, nil
	})
}

// Start starts the server again after Stop or Kill, on the same port, with whatever its folder
// holds, and returns when it answers and has loaded its data.
func (s *RedisServer) Start() error {
	argv := []string{
		"redis-server", "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--daemonize", "no",
		"--dir", s.dir, "--save", "", "--appendonly", "no",
	}
	return s.launch("redis", redisReadyMax, func() error {
		_, err := redisDo(s.Addr, "PING") // an error while LOADING
		return err
	}, append(argv, s.args...)...)
}

// Halt ends the server such that Start finds all its data, or none. Nothing that it has answered
// to is missing from the data, as it takes no command after it began to save them.
func (s *RedisServer) Halt(keepData bool) error {
	if !keepData {
		if err := s.Kill(); err != nil {
			return err
		}
		return s.forget()
	}
	// The connection ends with the server, which is an error here. If it does not end, it is one.
	_, err := redisDo(s.Addr, "SHUTDOWN", "SAVE")
	if !s.proc.waitExit(redisStopMax) {
		late := fmt.Errorf("stop redis %s with its data: it is still there after %s", s.Addr, redisStopMax)
		return errors.Join(late, err)
	}
	return nil
}

// forget removes the data from the server's folder: everything but the log and what a node of a
// cluster knows of the others.
func (s *RedisServer) forget() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("empty redis %s: %w", s.Addr, err)
	}
	for _, e := range entries {
		path := filepath.Join(s.dir, e.Name())
		if path == s.proc.log || e.Name() == "nodes.conf" {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("empty redis %s: %w", s.Addr, err)
		}
	}
	return nil
}

// Do sends one command on a connection of its own and returns the answer as text, an array's
// elements in lines, nil as "". It is for what a test does to the server ("CONFIG", "SET",
// "maxmemory", "1mb") or looks up in it, not for what it measures.
func (s *RedisServer) Do(words ...string) (string, error) { return redisDo(s.Addr, words...) }
