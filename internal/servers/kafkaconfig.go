package servers

import "fmt"

// kafkaClusterID is any UUID in Kafka's base64 form; every server has a cluster to itself.
const kafkaClusterID = "c2x1aWNlLXNsdWljZS1zbA"

// kafkaProperties configures a single node for tests: everything is replicated once, a consumer
// group starts at its first member, and few internal partitions keep the start short. A killed
// broker may register again only when its old session has ended: 3 s here, 9 s by default. The voters
// are fixed, as Kafka before 3.9 knows no other quorum. What a workload sees (message size, segments, flushing) stays at Kafka's defaults.
func kafkaProperties(broker, controller, data string) string {
	return fmt.Sprintf(`process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
advertised.listeners=PLAINTEXT://%[1]s
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@%[2]s
log.dirs=%[3]s
num.partitions=1
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=8388608
`, broker, controller, data)
}
