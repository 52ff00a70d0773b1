package e2e

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/pipeline/pipelinetest"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

// Servers on which the first span would fail end the program at its start, with code 1 and the words that
// help.
func TestServersThatWillNotDo(t *testing.T) {
	t.Parallel()
	tr := newTraffic(t, servertest.KafkaAddr(t), small)
	plain := oneRedis(t)
	for user, rules := range map[string]string{
		"reader": "~* +@read +info +@connection", "elsewhere": "~other:* +@all", "scriptless": "~* +@all -@scripting",
	} {
		plain.do(t, append([]string{"ACL", "SETUSER", user, "on", ">pw"}, strings.Fields(rules)...)...)
	}
	redis := func(args ...string) string { return servertest.Redis(t, args...).Addr }
	host, port, _ := strings.Cut(plain.addrs(), ":")
	for name, c := range map[string]struct {
		redis, user string
		words       []string
	}{
		"a replica":          {redis("--replicaof", host+" "+port), "", []string{"give the address of its primary"}},
		"no right to write":  {plain.addrs(), "reader", []string{"NOPERM", "the user needs", "+@scripting"}},
		"no right to keys":   {plain.addrs(), "elsewhere", []string{"the user needs", "~sluice:*"}},
		"no scripts":         {plain.addrs(), "scriptless", []string{"NOPERM", "the user needs", "+@scripting"}},
		"no such user":       {plain.addrs(), "nobody", []string{"WRONGPASS"}},
		"a renamed command":  {redis("--rename-command", "EVALSHA", ""), "", []string{"renamed or disabled"}},
		"no slots":           {redis("--cluster-enabled", "yes"), "", []string{"CLUSTER INFO"}},
		"it evicts":          {redis("--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru"), "", []string{"allkeys-lru", "noeviction"}},
		"nobody is there":    {"127.0.0.1:1", "", []string{"127.0.0.1:1", "connection refused"}},
		"it is no Redis":     {tr.kafka, "", []string{tr.kafka}},
		"what all else says": {plain.addrs(), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			args := append(tr.args(), "--redis", c.redis, "--duration", "1s")
			if c.user != "" {
				args = append(args, "--redis-user", c.user)
			}
			p := launch(t, func(cmd *exec.Cmd) {
				if c.user != "" {
					cmd.Env = append(cmd.Env, "SLUICE_REDIS_PASSWORD=pw")
				}
			}, args...)
			if c.words == nil { // a server that will do
				p.ends(0)
				return
			}
			p.ends(1)
			if !hasLine(p.log.String(), append(c.words, "run: ", "redis")...) {
				t.Errorf("it does not say %q:\n%s", c.words, p.log.String())
			}
		})
	}
}

// Both servers speak TLS, and plain text on another port: all comes out by TLS, and who has one side speak
// it and not the other is told so of both.
func TestPrivateServers(t *testing.T) {
	t.Parallel()
	certificate, ca := pipelinetest.Certificate(t)
	pem := pipelinetest.PEMFile(t, certificate)
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	kafka := servertest.PrivateKafka(t, pem)
	redis := redisNodes{servertest.Redis(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", pem,
		"--tls-key-file", pem, "--tls-ca-cert-file", ca, "--tls-auth-clients", "no")}
	plain := []string{"--redis", redis.addrs(), "--kafka", kafka.Addr}
	private := []string{"--redis", fmt.Sprintf("127.0.0.1:%d", port), "--kafka", kafka.Guarded}
	tls := []string{"--redis-tls", "--redis-tls-ca", ca, "--kafka-tls", "--kafka-tls-ca", ca}
	tr := newTraffic(t, kafka.Addr, small)
	rest := slices.Concat(tr.args()[2:], options) // without its Kafka
	p := start(t, slices.Concat(rest, private, tls)...)
	tr.send()
	tr.settled(time.Minute)
	finish(t, tr, p, redis)

	for _, c := range []struct {
		args  []string
		words string
	}{
		{slices.Concat(rest, plain, tls), "it does not speak TLS on this port, which is on here"},
		{slices.Concat(rest, private), "it speaks TLS, which is off here"},
	} {
		p := launch(t, nil, c.args...)
		p.ends(1)
		for _, server := range []string{"run: redis 127.0.0.1:", "run: kafka 127.0.0.1:"} {
			if !hasLine(p.log.String(), server, c.words) {
				t.Errorf("no line with %s and %q:\n%s", server, c.words, p.log.String())
			}
		}
	}
}
