#!/usr/bin/env bash
# A real Apache Kafka on this machine, for tests: KRaft, no containers.
#
#   kafka.sh up [1|3]        start one broker, or three (default 3); waits until they answer
#   kafka.sh down            stop them all and forget their data
#   kafka.sh kill N          kill -9 broker N
#   kafka.sh freeze N        stop the process of broker N; thaw N wakes it again
#   kafka.sh start N         start broker N again on its data
#   kafka.sh tool CLASS ...  run one of Kafka's own tools, e.g. org.apache.kafka.tools.TopicCommand
#   kafka.sh env LISTENER    print the connector's settings for one (plain, sasl or mtls), to be evaluated by a shell
#   kafka.sh with COMMAND    run a command with KAFKA_SH (this file) and KAFKA_BROKERS (plain listeners) set;
#                            where no broker runs, three do while the command does
#
# Listeners of broker N (1, 2, 3); KAFKA_PORTS replaces the 19 in front:
#   127.0.0.1:1909N  plain text; whoever comes this way may do everything
#   127.0.0.1:1919N  SASL over TLS (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512): users smsbridge and nobody
#   127.0.0.1:1929N  mutual TLS: the certificate's common name is the user (client)
# Users by SASL and by certificate may do only what ACLs allow; nobody is known to PLAIN alone.
# Needs: a JDK of version 17 or later, Maven, Go. Everything is kept in KAFKA_HOME (default .cache/kafka of the checkout).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
home=${KAFKA_HOME:-$root/.cache/kafka}
password=test-only-password
heap=${KAFKA_HEAP:-384m}
ports=${KAFKA_PORTS:-19}

fetch() {
  [ "$home/lib/.complete" -nt "$here/pom.xml" ] && return
  mkdir -p "$home"
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$home/lib" -DincludeScope=runtime
  touch "$home/lib/.complete"
}

java_() { java -cp "$home/lib/*" "$@"; }

properties() { # N COUNT
  local n=$1 count=$2 voters="" i
  for i in $(seq 1 "$count"); do voters+="${voters:+,}$i@127.0.0.1:${ports}39$i"; done
  local replicas=$((count < 3 ? 1 : 3)) insync=$((count < 3 ? 1 : 2))
  cat <<EOF
process.roles=broker,controller
node.id=$n
controller.quorum.voters=$voters
listeners=PLAIN://127.0.0.1:${ports}09$n,SASL://127.0.0.1:${ports}19$n,MTLS://127.0.0.1:${ports}29$n,CONTROLLER://127.0.0.1:${ports}39$n
advertised.listeners=PLAIN://127.0.0.1:${ports}09$n,SASL://127.0.0.1:${ports}19$n,MTLS://127.0.0.1:${ports}29$n
listener.security.protocol.map=PLAIN:PLAINTEXT,SASL:SASL_SSL,MTLS:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAIN
controller.listener.names=CONTROLLER
log.dirs=$home/data/$n
num.partitions=12
default.replication.factor=$replicas
min.insync.replicas=$insync
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$insync
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
unclean.leader.election.enable=false
broker.session.timeout.ms=6000
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_smsbridge="$password" user_nobody="$password";
listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.mtls.ssl.client.auth=required
listener.name.mtls.ssl.principal.mapping.rules=RULE:^CN=([^,]+).*\$/\$1/,DEFAULT
ssl.keystore.type=PEM
ssl.keystore.location=$home/certs/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$home/certs/ca.crt
EOF
}

start() { # N
  local n=$1
  java -Xmx"$heap" -Xms"$heap" -XX:+UseSerialGC -cp "$home/lib/*" -Dlog4j2.configurationFile="$here/log4j2.properties" \
    kafka.Kafka "$home/server-$n.properties" >>"$home/broker-$n.log" 2>&1 </dev/null &
  echo $! >"$home/broker-$n.pid"
  disown
}

pid() { cat "$home/broker-$1.pid"; }

await() { # COUNT: every broker answers and every one of them is known
  local deadline=$((SECONDS + 120)) i
  for i in $(seq 1 "$1"); do
    until (exec 3<>"/dev/tcp/127.0.0.1/${ports}19$i") 2>/dev/null; do
      if ((SECONDS > deadline)) || ! kill -0 "$(pid "$i")" 2>/dev/null; then
        echo "kafka.sh: broker $i did not come up, see $home/broker-$i.log" >&2
        tail -n 20 "$home/broker-$i.log" >&2
        exit 1
      fi
      sleep 0.2
    done
  done
}

up() {
  local count=${1:-3} n
  fetch
  down
  if (exec 3<>/dev/tcp/127.0.0.1/${ports}091) 2>/dev/null; then
    echo "kafka.sh: something else listens on port ${ports}091, perhaps the brokers of another KAFKA_HOME; choose other ports by KAFKA_PORTS" >&2
    exit 1
  fi
  mkdir -p "$home/certs"
  (cd "$root" && go run ./deploy/kafka/certs "$home/certs")
  for n in $(seq 1 "$count"); do
    properties "$n" "$count" >"$home/server-$n.properties"
    java_ -Xmx128m kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qk -c "$home/server-$n.properties" \
      --add-scram "SCRAM-SHA-256=[name=smsbridge,password=$password]" \
      --add-scram "SCRAM-SHA-512=[name=smsbridge,password=$password]" >/dev/null 2>"$home/format.log" &
  done
  wait
  for n in $(seq 1 "$count"); do start "$n"; done
  await "$count"
  echo "$count" >"$home/count"
}

down() {
  local file
  for file in "$home"/broker-*.pid; do
    [ -e "$file" ] || continue
    kill -9 "$(cat "$file")" 2>/dev/null || true
    rm -f "$file"
  done
  rm -rf "$home/data" "$home"/broker-*.log "$home"/server-*.properties "$home/count"
}

addresses() { # PORT-PREFIX
  local i list=""
  if [ ! -e "$home/count" ]; then
    echo "kafka.sh: no broker runs, start some by: $0 up" >&2
    exit 1
  fi
  for i in $(seq 1 "$(cat "$home/count")"); do list+="${list:+,}127.0.0.1:$1$i"; done
  echo "$list"
}

settings() {
  local brokers
  case $1 in
  plain) brokers=$(addresses "${ports}09") ;;
  sasl) brokers=$(addresses "${ports}19") ;;
  mtls) brokers=$(addresses "${ports}29") ;;
  *) usage ;;
  esac
  echo "export SMSBRIDGE_KAFKA_BROKERS=$brokers"
  [ "$1" = plain ] && return
  echo "export SMSBRIDGE_KAFKA_TLS=true SMSBRIDGE_KAFKA_TLS_CA_FILE=$home/certs/ca.crt"
  case $1 in
  sasl) echo "export SMSBRIDGE_KAFKA_SASL_MECHANISM=scram-sha-512 SMSBRIDGE_KAFKA_SASL_USERNAME=smsbridge SMSBRIDGE_KAFKA_SASL_PASSWORD=$password" ;;
  mtls) echo "export SMSBRIDGE_KAFKA_TLS_CERT_FILE=$home/certs/client.crt SMSBRIDGE_KAFKA_TLS_KEY_FILE=$home/certs/client.key" ;;
  esac
}

with() { # COMMAND...
  local brokers
  if [ ! -e "$home/count" ]; then
    trap down EXIT
    up 3
  fi
  brokers=$(addresses "${ports}09")
  KAFKA_SH=$here/kafka.sh KAFKA_BROKERS=$brokers "$@"
}

usage() {
  sed -n '2,21s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

case ${1:-} in
up) up "${2:-3}" ;;
down) down ;;
kill) kill -9 "$(pid "$2")" && rm "$home/broker-$2.pid" ;;
freeze) kill -STOP "$(pid "$2")" ;;
thaw) kill -CONT "$(pid "$2")" ;;
start) start "$2" ;;
tool) shift && exec java -cp "$home/lib/*" -Xmx"${KAFKA_TOOL_HEAP:-128m}" -Dlog4j2.configurationFile="$here/log4j2.properties" "$@" ;;
env) settings "${2:-plain}" ;;
with) shift && with "$@" ;;
*) usage ;;
esac
