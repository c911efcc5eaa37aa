"""A real Apache Kafka for the tests, without containers: jars from Maven Central, one JVM a node, KRaft.

    with RealKafka() as k:                      # version='4.3.1' | '3.9.1', nodes=1 | 3, sasl=, tls=, acl=, properties={..}
        k.create_topic("t", partitions=2, configs={"cleanup.policy": "compact"})
        k.produce("t", [rec(key="a", value='{"x":1}', ts=1700000000000, partition=0, headers=[("h", b"v")])])
        k.bootstrap                             # the plain listener
        k.proxy().cut(); k.proxied              # the same brokers, seen through a faulty wire (proxy.py)
        k.lost_bootstrap                        answers, but advertises an address where nobody listens
        k.nodes[0].pause() / resume() / kill() / start()

Administration goes through confluent_kafka, since each Java tool costs a second of JVM. Security (one node):

    RealKafka(sasl=True)   k.sasl_bootstrap        PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 for USERS; OAUTHBEARER with unsecured tokens
    RealKafka(tls=True)    k.tls_bootstrap         certificate for localhost, signed by k.pki; client certificates asked for but not required
                           k.expired_bootstrap, k.other_host_bootstrap      the same with a certificate that a client must refuse
    both                   k.sasl_tls_bootstrap
    RealKafka(acl=True)    StandardAuthorizer; the plain listener's anonymous user may do everything, others what k.allow() says

Jars are fetched once into the cache (WEIR_TEST_CACHE, ~/.cache/weir-test); NoKafka says why there can be none.
"""
import base64
import logging
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import confluent_kafka as ck
from confluent_kafka import admin as cka

from certs import Pki
from fetched import NotToBeHad, fetched, maven
from net import die_with_parent, free_port, wait_until
from proxy import TcpProxy

LATEST, OLD = "4.3.1", "3.9.1"
USERS = {"alice": "alice-pw", "bob": "bob-pw"}

_LOGGERS = {LATEST: ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"), OLD: ("org.slf4j", "slf4j-reload4j", "1.7.36")}
_quiet = logging.getLogger("weir.test.kafka")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


NoKafka = NotToBeHad


# ---- jars

def jars(version=LATEST):
    """-> folder of the broker's jars."""
    wanted = [("org.apache.kafka", "kafka_2.13", version), _LOGGERS[version]]
    if version != OLD:
        wanted.append(("org.apache.kafka", "kafka-tools", version))
    return fetched(f"kafka-{version}", lambda folder: maven(folder, wanted))


# ---- records

def rec(value=None, key=None, ts=None, partition=0, headers=None):
    """One record. Text becomes UTF-8, None stays null, ts in ms (None = now)."""
    return {"key": _bytes(key), "value": _bytes(value), "ts": ts, "partition": partition, "headers": [(n, _bytes(v)) for n, v in headers or []]}


def _bytes(x):
    return x.encode() if isinstance(x, str) else x


def _client(conf):
    return {"log_level": 0, "logger": _quiet, **conf}


# ---- one broker process

class Node:
    def __init__(self, cluster, node_id):
        self.cluster, self.id = cluster, node_id
        self.folder = cluster.folder / f"n{node_id}"
        self.ports = {name: free_port() for name in cluster.listeners}
        self.properties_file = cluster.folder / f"node{node_id}.properties"
        self.log_file = cluster.folder / f"node{node_id}.log"
        self.proxy = TcpProxy(self.ports["PROXY"], free_port())
        self.process = None

    def start(self, wait=True):
        """Starts (again) on the same ports and data."""
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(["java", "-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
                                             *self.cluster.logging, "-cp", f"{self.cluster.jars}/*", "kafka.Kafka", str(self.properties_file)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent, start_new_session=True)
        if wait:
            self.cluster.wait_ready()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """As a power cut: SIGKILL, and the port is free when this returns."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self):
        """A clean stop: leaders move away first."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def log_tail(self, n=25):
        lines = self.log_file.read_text(errors="replace").splitlines() if self.log_file.exists() else []
        return "\n".join(lines[-n:])


# ---- the cluster

class RealKafka:
    def __init__(self, version=LATEST, nodes=1, sasl=False, tls=False, acl=False, properties=None):
        self.version, self.sasl, self.tls, self.acl = version, sasl, tls, acl
        self._nodes_n, self._extra = nodes, properties or {}
        self._protocols = {"CONTROLLER": "PLAINTEXT", "PLAINTEXT": "PLAINTEXT", "PROXY": "PLAINTEXT", "LOST": "PLAINTEXT"}
        if sasl:
            self._protocols["SASL_PLAINTEXT"] = "SASL_PLAINTEXT"
        if tls:
            self._protocols.update(SSL="SSL", SSL_OLD="SSL", SSL_OTHER="SSL")
        if sasl and tls:
            self._protocols["SASL_SSL"] = "SASL_SSL"
        self.listeners = list(self._protocols)
        self.nodes, self.folder, self._admin, self._open = [], None, None, []

    # -- life

    def __enter__(self):
        self.jars = jars(self.version)
        last = None
        for _ in range(2):          # another process may have taken a port meanwhile: once more with others
            try:
                self._start()
                return self
            except RuntimeError as e:
                last = e
                self.stop()
        raise last

    def __exit__(self, *_):
        self.stop()

    def _start(self):
        self.folder = Path(tempfile.mkdtemp(prefix="weir-kafka-"))
        self.logging = self._logging()
        if self.tls:
            self.pki = Pki(self.folder / "pki")
            self._certs = {"ssl": self.pki.issue("server", hosts=["localhost", "127.0.0.1"]),
                           "ssl_old": self.pki.issue("old", hosts=["localhost", "127.0.0.1"], days=-1),
                           "ssl_other": self.pki.issue("other", hosts=["other.example"])}
            self._certs["sasl_ssl"] = self._certs["ssl"]
        self.nodes = [Node(self, i + 1) for i in range(self._nodes_n)]
        for node in self.nodes:
            node.properties_file.write_text("".join(f"{k}={v}\n" for k, v in self._properties(node).items()))
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)
        with ThreadPoolExecutor(self._nodes_n) as pool:
            list(pool.map(lambda node: self._format(node, cluster_id), self.nodes))
        for node in self.nodes:
            node.start(wait=False)
        self.wait_ready()

    def stop(self):
        self._open.clear()
        self._admin = None
        for node in self.nodes:
            node.kill()
            node.proxy.close()
        self.nodes = []
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def wait_ready(self, timeout_s=60):
        """Until every running node answers and is known to the cluster, and the cluster has a leader for new topics."""
        end = time.monotonic() + timeout_s
        running = [n for n in self.nodes if n.process]
        for node in running:
            while True:
                if node.process.poll() is not None:
                    raise RuntimeError(f"Kafka {self.version} node {node.id} ended with status {node.process.returncode}:\n{node.log_tail()}")
                try:
                    socket.create_connection(("127.0.0.1", node.ports["PLAINTEXT"]), timeout=1).close()
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise RuntimeError(f"Kafka {self.version} node {node.id} does not listen after {timeout_s} s:\n{node.log_tail()}") from None
                    time.sleep(0.05)
        while True:
            try:
                if {n.id for n in running} <= set(self.metadata(timeout_s=2).brokers):
                    return
            except ck.KafkaException:
                pass
            if time.monotonic() > end:
                raise RuntimeError(f"Kafka {self.version} gives no metadata after {timeout_s} s:\n{running[0].log_tail()}")
            time.sleep(0.05)

    def _logging(self):
        """The broker's own log goes to nodeN.log, from WARN up."""
        if self.version == OLD:
            conf = self.folder / "log4j.properties"
            conf.write_text("log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\nlog4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
                            "log4j.appender.out.layout.ConversionPattern=%d{ABSOLUTE} %p %c{1} %m%n\n")
            return [f"-Dlog4j.configuration=file:{conf}"]
        conf = self.folder / "log4j2.properties"
        conf.write_text("rootLogger.level=warn\nrootLogger.appenderRefs=out\nrootLogger.appenderRef.out.ref=out\nappenders=out\nappender.out.type=Console\nappender.out.name=out\n"
                        "appender.out.layout.type=PatternLayout\nappender.out.layout.pattern=%d{ABSOLUTE} %p %c{1} %m%n\n")
        return [f"-Dlog4j2.configurationFile={conf}"]

    def _format(self, node, cluster_id):
        argv = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *self.logging, "-cp", f"{self.jars}/*", "kafka.tools.StorageTool",
                "format", "-t", cluster_id, "-c", str(node.properties_file)]
        if self.sasl:
            for user, password in USERS.items():
                for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                    argv += ["--add-scram", f"{mechanism}=[name={user},password={password}]"]
        got = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if got.returncode != 0:
            raise RuntimeError(f"Kafka storage format failed: {(got.stdout + got.stderr)[-1500:]}")

    def _properties(self, node):
        n = self._nodes_n
        bound = {name: f"{name}://127.0.0.1:{port}" for name, port in node.ports.items()}
        advertised = {name: f"{name}://{'localhost' if 'SSL' in self._protocols[name] else '127.0.0.1'}:{port}" for name, port in node.ports.items() if name != "CONTROLLER"}
        advertised["PROXY"] = f"PROXY://127.0.0.1:{node.proxy.port}"
        advertised["LOST"] = "LOST://127.0.0.1:1"
        p = {
            "process.roles": "broker,controller",
            "node.id": node.id,
            "controller.quorum.voters": ",".join(f"{x.id}@127.0.0.1:{x.ports['CONTROLLER']}" for x in self.nodes),
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(bound.values()),
            "advertised.listeners": ",".join(advertised.values()),
            "listener.security.protocol.map": ",".join(f"{k}:{v}" for k, v in self._protocols.items()),
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": node.folder,
            "offsets.topic.replication.factor": n,
            "offsets.topic.num.partitions": 1,       # internal topics small: the first group or transaction is fast
            "transaction.state.log.replication.factor": n,
            "transaction.state.log.min.isr": 2 if n > 1 else 1,
            "transaction.state.log.num.partitions": 1,
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
            "default.replication.factor": n,
            "min.insync.replicas": 2 if n > 1 else 1,
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
            "log.cleaner.dedupe.buffer.size": 4194304,   # default 128 MiB of heap
            "log.cleaner.backoff.ms": 200,
            "log.retention.ms": -1,                      # the tests' records are of 2023; a topic may set retention.ms
            "log.retention.check.interval.ms": 1000,
            "log.initial.task.delay.ms": 500,            # else retention and the cleaner begin after 30 s
            "num.network.threads": 2,
            "num.io.threads": 2,
        }
        p.update({"broker.session.timeout.ms": 3000, "broker.heartbeat.interval.ms": 500})
        if n > 1:
            p.update({"controller.quorum.fetch.timeout.ms": 1000, "controller.quorum.election.timeout.ms": 500})
        if self.sasl:
            p["sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"
            users = " ".join(f'user_{u}="{pw}"' for u, pw in USERS.items())
            for name in ("sasl_plaintext", "sasl_ssl"):
                p[f"listener.name.{name}.plain.sasl.jaas.config"] = f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
                for mechanism in ("scram-sha-256", "scram-sha-512"):
                    p[f"listener.name.{name}.{mechanism}.sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
                p[f"listener.name.{name}.oauthbearer.sasl.jaas.config"] = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
        if self.tls:
            p.update({"ssl.keystore.type": "PEM", "ssl.keystore.location": self._certs["ssl"].both, "ssl.truststore.type": "PEM", "ssl.truststore.location": self.pki.ca,
                      "ssl.client.auth": "requested"})
            p.update({f"listener.name.{name}.ssl.keystore.location": cert.both for name, cert in self._certs.items()})
        if self.acl:
            p.update({"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:ANONYMOUS"})
        p.update(self._extra)
        return p

    # -- addresses

    def _addresses(self, listener, host="127.0.0.1"):
        return ",".join(f"{host}:{n.ports[listener]}" for n in self.nodes)

    @property
    def bootstrap(self):
        return self._addresses("PLAINTEXT")

    @property
    def proxied(self):
        return ",".join(f"127.0.0.1:{n.proxy.port}" for n in self.nodes)

    @property
    def lost_bootstrap(self):
        """Answers, but the metadata it gives names an address where nobody listens."""
        return self._addresses("LOST")

    @property
    def sasl_bootstrap(self):
        return self._addresses("SASL_PLAINTEXT")

    @property
    def tls_bootstrap(self):
        return self._addresses("SSL", "localhost")

    @property
    def expired_bootstrap(self):
        return self._addresses("SSL_OLD", "localhost")

    @property
    def other_host_bootstrap(self):
        return self._addresses("SSL_OTHER", "localhost")

    @property
    def sasl_tls_bootstrap(self):
        return self._addresses("SASL_SSL", "localhost")

    def proxy(self, node=0):
        return self.nodes[node].proxy

    # -- administration

    @property
    def admin(self):
        if self._admin is None:
            self._admin = cka.AdminClient(_client({"bootstrap.servers": self.bootstrap, "socket.timeout.ms": 20000}))
        return self._admin

    def metadata(self, topic=None, timeout_s=10):
        return self.admin.list_topics(topic, timeout=timeout_s)

    def _known(self, name, partitions):
        meta = self.metadata(timeout_s=10).topics.get(name)
        return meta is not None and len(meta.partitions) == partitions and all(p.leader >= 0 for p in meta.partitions.values())

    def create_topic(self, name, partitions=1, configs=None, replication=None):
        """Creates the topic and returns its name when every partition has a leader."""
        new = cka.NewTopic(name, num_partitions=partitions, replication_factor=replication or self._nodes_n, config={k: str(v) for k, v in (configs or {}).items()})
        self.admin.create_topics([new], request_timeout=20)[name].result(30)
        wait_until(lambda: self._known(name, partitions), 20, f"topic {name} to have leaders")
        return name

    def delete_topic(self, *names):
        for future in self.admin.delete_topics(list(names), request_timeout=20).values():
            future.result(30)
        wait_until(lambda: not set(names) & set(self.metadata().topics), 20, f"{names} to vanish")

    def add_partitions(self, name, total):
        self.admin.create_partitions([cka.NewPartitions(name, total)], request_timeout=20)[name].result(30)
        wait_until(lambda: self._known(name, total), 20, f"{name} to have {total} partitions")

    def alter_configs(self, topic, configs):
        """Sets topic configs; a value of None goes back to the default."""
        entries = [cka.ConfigEntry(k, None if v is None else str(v),
                                   incremental_operation=cka.AlterConfigOpType.DELETE if v is None else cka.AlterConfigOpType.SET) for k, v in configs.items()]
        resource = cka.ConfigResource(cka.ResourceType.TOPIC, topic, incremental_configs=entries)
        for future in self.admin.incremental_alter_configs([resource]).values():
            future.result(30)

    def delete_records(self, topic, before):
        """DeleteRecords: everything below before[partition] goes; {partition: offset}, offset -1 = up to the high watermark."""
        wanted = [ck.TopicPartition(topic, p, ck.OFFSET_END if o == -1 else o) for p, o in before.items()]
        return {tp.partition: f.result(30).low_watermark for tp, f in self.admin.delete_records(wanted).items()}

    def offsets(self, topic, spec="latest", isolation="read_uncommitted"):
        """-> {partition: offset}; spec 'earliest' | 'latest' | ts in ms; isolation read_committed gives the LSO."""
        which = {"earliest": cka.OffsetSpec.earliest, "latest": cka.OffsetSpec.latest}.get(spec)
        what = which() if which else cka.OffsetSpec.for_timestamp(spec)
        level = ck.IsolationLevel.READ_COMMITTED if isolation == "read_committed" else ck.IsolationLevel.READ_UNCOMMITTED

        def ask():
            asked = {ck.TopicPartition(topic, p): what for p in self.metadata().topics[topic].partitions}
            try:
                return {tp.partition: f.result(30).offset for tp, f in self.admin.list_offsets(asked, isolation_level=level).items()}
            except ck.KafkaException as e:
                if e.args[0].code() != ck.KafkaError.NOT_LEADER_FOR_PARTITION:
                    raise
                return None                        # a new partition's leader is not at work yet
        return wait_until(ask, 20)

    def leader(self, topic, partition=0):
        """-1: none, or nobody answers (the client may have asked the broker that has just gone)."""
        try:
            return self.metadata(timeout_s=5).topics[topic].partitions[partition].leader
        except ck.KafkaException:
            return -1

    def allow(self, user, operation, resource="TOPIC", name="*", literal=True, deny=False):
        """ACL: user may (or with deny may not) do the operation (READ, DESCRIBE, ...) on the named resource."""
        acl = cka.AclBinding(getattr(cka.ResourceType, resource), name, cka.ResourcePatternType.LITERAL if literal else cka.ResourcePatternType.PREFIXED,
                             f"User:{user}", "*", getattr(cka.AclOperation, operation), cka.AclPermissionType.DENY if deny else cka.AclPermissionType.ALLOW)
        for future in self.admin.create_acls([acl]).values():
            future.result(30)

    def forbid_all(self, user):
        """Takes away every ACL of the user."""
        any_of = cka.AclBindingFilter(cka.ResourceType.ANY, None, cka.ResourcePatternType.ANY, f"User:{user}", None, cka.AclOperation.ANY, cka.AclPermissionType.ANY)
        for future in self.admin.delete_acls([any_of]).values():
            future.result(30)

    # -- records

    def producer(self, **conf):
        """A confluent_kafka.Producer; keywords are librdkafka's with _ for '.'."""
        return ck.Producer(_client({"bootstrap.servers": self.bootstrap, "linger.ms": 5, **{k.replace("_", "."): v for k, v in conf.items()}}))

    @staticmethod
    def send(producer, topic, records):
        """Queues records (of rec()) and waits until all are delivered. -> [(partition, offset)] in the order given."""
        got = [None] * len(records)
        for i, r in enumerate(records):
            def delivered(err, msg, i=i):
                got[i] = err or (msg.partition(), msg.offset())
            while True:
                try:
                    producer.produce(topic, value=r["value"], key=r["key"], partition=r["partition"], headers=r["headers"],
                                     timestamp=r["ts"] or 0, on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.1)
        left = producer.flush(60)
        bad = [g for g in got if not isinstance(g, tuple)]
        assert not bad and not left, f"{len(bad)} of {len(records)} records were not delivered to {topic}: {bad[:1]}"
        return got

    def produce(self, topic, records, **conf):
        return self.send(self.producer(**conf), topic, records)

    def transaction(self, topic, records, end="commit", transactional_id=None, timeout_ms=60000):
        """Writes records in one transaction and ends it: 'commit', 'abort', or 'open' (left open; the producer is returned and kept alive,
        call its commit_transaction / abort_transaction later, or let the broker abort it after timeout_ms)."""
        producer = self.producer(transactional_id=transactional_id or f"weir-{uuid.uuid4()}", transaction_timeout_ms=timeout_ms)
        producer.init_transactions(30)
        producer.begin_transaction()
        self.send(producer, topic, records)
        if end == "commit":
            producer.commit_transaction(30)
        elif end == "abort":
            producer.abort_transaction(30)
        else:
            self._open.append(producer)
        return producer

    def consume(self, topic, isolation="read_committed", timeout_s=20):
        """Everything in the topic now, by a client that is not weir: list of dicts as of rec() plus offset, by partition and offset."""
        ends = self.offsets(topic, "latest", isolation)
        starts = self.offsets(topic, "earliest")
        consumer = ck.Consumer(_client({"bootstrap.servers": self.bootstrap, "group.id": "weir-test-unused", "enable.auto.commit": False, "enable.partition.eof": True,
                                        "isolation.level": isolation, "auto.offset.reset": "error"}))
        rows, todo = [], {p for p in ends if starts[p] < ends[p]}
        consumer.assign([ck.TopicPartition(topic, p, starts[p]) for p in todo])
        end = time.monotonic() + timeout_s
        try:
            while todo:
                assert time.monotonic() < end, f"{topic}: partitions {todo} did not end"
                for m in consumer.consume(10000, 0.2):
                    if m.error():
                        if m.error().code() != ck.KafkaError._PARTITION_EOF:
                            raise ck.KafkaException(m.error())
                        todo.discard(m.partition())
                        continue
                    rows.append({"key": m.key(), "value": m.value(), "ts": m.timestamp()[1], "partition": m.partition(), "headers": m.headers() or [], "offset": m.offset()})
        finally:
            consumer.close()
        return sorted(rows, key=lambda r: (r["partition"], r["offset"]))
