package servers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// redisDo sends one command on a connection of its own and returns the answer as text: a status,
// number or string as it is, nil as "", an array as its elements in lines. It is all the Redis
// client that starting a server needs.
func redisDo(addr string, words ...string) (string, error) {
	answer, err := redisExchange(addr, words)
	if err != nil {
		return "", fmt.Errorf("redis %s: %s: %w", addr, strings.Join(words, " "), err)
	}
	return answer, nil
}

func redisExchange(addr string, words []string) (string, error) {
	// A server that is not there refuses at once; a machine that stands still for a second does not mean that.
	conn, err := net.DialTimeout("tcp", addr, 20*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := io.WriteString(conn, command.String()); err != nil {
		return "", err
	}
	return redisAnswer(bufio.NewReader(conn))
}

// redisAnswer reads one answer of the protocol's version 2.
func redisAnswer(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New(rest)
	case '$', '*':
	default:
		return "", fmt.Errorf("answer %q is not a Redis answer", line)
	}
	size, err := strconv.Atoi(rest)
	if err != nil {
		return "", fmt.Errorf("answer %q has no size", line)
	}
	if size < 0 {
		return "", nil
	}
	if kind == '$' {
		body := make([]byte, size+len("\r\n"))
		_, err = io.ReadFull(in, body)
		return string(body[:size]), err
	}
	elements := make([]string, size)
	for i := range elements {
		if elements[i], err = redisAnswer(in); err != nil {
			return "", err
		}
	}
	return strings.Join(elements, "\n"), nil
}
