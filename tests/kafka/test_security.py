"""Logging in, TLS and rights: what works works, and what does not says the likely cause, with exit code 2, within seconds."""
import pytest

from kafka import USERS, rec


def fill(cluster, name):
    cluster.create_topic(name)
    cluster.produce(name, [rec("secret")])
    for user in ("ANONYMOUS", "alice"):
        cluster.allow(user, "READ", name=name)
    return name


@pytest.fixture
def topic(kafka_secure, name):
    return fill(kafka_secure, name)


@pytest.fixture
def topic39(kafka39_secure, name):
    return fill(kafka39_secure, name)


def reader(weir, tmp_path, topic):
    def read(bootstrap, lines, sql=None, args=()):
        conf = tmp_path / "client.properties"
        conf.write_text("\n".join(lines) + "\n")
        conf.chmod(0o600)
        return weir("-b", bootstrap, "-F", conf, "--mode", "csv", "--timeout", "10s", *args, "-c", sql or f'select _value from "{topic}"')
    return read


@pytest.fixture
def read(weir, tmp_path, topic):
    return reader(weir, tmp_path, topic)


@pytest.fixture
def read39(weir, tmp_path, topic39):
    return reader(weir, tmp_path, topic39)


def refused(got, *words):
    assert got.code == 2, (got.code, got.out, got.err)
    assert got.took_s < 5, got.took_s
    assert any(w.lower() in got.err.lower() for w in words), got.err
    assert USERS["alice"] not in got.err and "wrong-pw" not in got.err       # secrets are not for error messages


def sasl(mechanism, password=USERS["alice"], protocol="SASL_PLAINTEXT"):
    return [f"security.protocol={protocol}", f"sasl.mechanism={mechanism}", "sasl.username=alice", f"sasl.password={password}"]


def test_login(kafka_secure, read):
    assert read(kafka_secure.sasl_bootstrap, sasl("PLAIN")).ok().rows == [{"_value": "secret"}]
    refused(read(kafka_secure.sasl_bootstrap, sasl("PLAIN", "wrong-pw")), "authentication", "password")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram(weir, kafka_secure, read, kafka39_secure, read39, mechanism):
    assert read39(kafka39_secure.sasl_bootstrap, sasl(mechanism)).ok().rows == [{"_value": "secret"}]
    assert read39(kafka39_secure.sasl_tls_bootstrap, [*sasl(mechanism, protocol="SASL_SSL"), f"ssl.ca.location={kafka39_secure.pki.ca}"]).ok().rows == [{"_value": "secret"}]
    refused(read39(kafka39_secure.sasl_bootstrap, sasl(mechanism, "wrong-pw")), "authentication", "password")
    # librdkafka before 2.6.1 repeats its nonce, which Kafka 4 refuses as it refuses a wrong password: then the hint must name the library.
    if " 2.0.2" in weir("--version").ok().out:
        refused(read(kafka_secure.sasl_bootstrap, sasl(mechanism)), "cannot do SCRAM with Kafka 4")
    else:
        assert read(kafka_secure.sasl_bootstrap, sasl(mechanism)).ok().rows == [{"_value": "secret"}]


JAAS = ["# as a Java client has it", "security.protocol = SASL_PLAINTEXT", "sasl.mechanism: {mechanism}",
        "sasl.jaas.config=org.apache.kafka.common.security.{module} required \\", '    username="alice" \\', '    password="{password}";']


def jaas(mechanism, module):
    return [line.format(mechanism=mechanism, module=module, password=USERS["alice"]) for line in JAAS]


def test_java_properties(kafka_secure, read, kafka39_secure, read39):
    assert read(kafka_secure.sasl_bootstrap, jaas("PLAIN", "plain.PlainLoginModule")).ok().rows == [{"_value": "secret"}]
    assert read39(kafka39_secure.sasl_bootstrap, jaas("SCRAM-SHA-256", "scram.ScramLoginModule")).ok().rows == [{"_value": "secret"}]


def test_tls(kafka_secure, read):
    k = kafka_secure
    ca = ["security.protocol=SSL", f"ssl.ca.location={k.pki.ca}"]
    assert read(k.tls_bootstrap, ca).ok().rows == [{"_value": "secret"}]
    assert read(k.sasl_tls_bootstrap, [*sasl("PLAIN", protocol="SASL_SSL"), ca[1]]).ok().rows == [{"_value": "secret"}]
    refused(read(k.tls_bootstrap, ["security.protocol=SSL"]), "certificate", "CA")
    refused(read(k.expired_bootstrap, ca), "expired", "certificate")
    refused(read(k.other_host_bootstrap, ca), "host", "certificate")


def test_java_trust_store_as_pem(kafka_secure, read):
    lines = ["security.protocol=SSL", "ssl.truststore.type=PEM", f"ssl.truststore.location={kafka_secure.pki.ca}"]
    assert read(kafka_secure.tls_bootstrap, lines).ok().rows == [{"_value": "secret"}]


def test_client_certificate(kafka_secure, read, topic):
    k = kafka_secure
    mine = k.pki.issue("carol")
    lines = ["security.protocol=SSL", f"ssl.ca.location={k.pki.ca}", f"ssl.certificate.location={mine.cert}", f"ssl.key.location={mine.key}"]
    refused(read(k.tls_bootstrap, lines), "authoriz")
    k.allow("CN=carol", "READ", name=topic)
    assert read(k.tls_bootstrap, lines).ok().rows == [{"_value": "secret"}]
    other = k.pki.issue("other-key")
    refused(read(k.tls_bootstrap, [*lines[:3], f"ssl.key.location={other.key}"]), "key")


def test_client_certificate_of_an_intermediate_ca(kafka_secure, read, topic, tmp_path):
    """The broker knows the root alone, so the client has to send the chain: librdkafka 2.0.2 does so for a certificate file, so PEM stores become one."""
    k = kafka_secure
    sub = k.pki.intermediate("line 1 CA")
    mine = sub.issue("dave")
    chain, store = tmp_path / "chain.pem", tmp_path / "store.pem"
    chain.write_text(mine.cert.read_text() + sub.ca.read_text())
    store.write_text(mine.key.read_text() + chain.read_text())
    store.chmod(0o600)
    k.allow("CN=dave", "READ", name=topic)
    ca = ["security.protocol=SSL", f"ssl.ca.location={k.pki.ca}"]
    assert read(k.tls_bootstrap, [*ca, f"ssl.certificate.location={chain}", f"ssl.key.location={mine.key}"]).ok().rows == [{"_value": "secret"}]
    assert read(k.tls_bootstrap, [*ca, "ssl.keystore.type=PEM", f"ssl.keystore.location={store}"]).ok().rows == [{"_value": "secret"}]
    refused(read(k.tls_bootstrap, [*ca, f"ssl.certificate.location={mine.cert}", f"ssl.key.location={mine.key}"]), "certificate", "TLS")


def test_wrong_protocol_for_the_port(kafka_secure, read):
    k = kafka_secure
    refused(read(k.bootstrap, ["security.protocol=SSL", f"ssl.ca.location={k.pki.ca}"]), "ssl", "tls")
    refused(read(k.bootstrap, sasl("PLAIN")), "sasl")
    refused(read(k.sasl_bootstrap, []), "sasl", "security.protocol")
    refused(read(k.tls_bootstrap, []), "tls", "ssl", "security.protocol")


def test_mechanism_that_the_broker_does_not_have(kafka_secure, read):
    lines = [*sasl("OAUTHBEARER")[:1], "sasl.mechanism=GSSAPI"]
    got = read(kafka_secure.sasl_bootstrap, lines)
    assert got.code in (1, 2) and got.err.strip() and got.took_s < 8


def test_no_right_to_a_topic(kafka_secure, read, name):
    k = kafka_secure
    k.create_topic(name + "_hidden")
    got = read(k.sasl_bootstrap, sasl("PLAIN"), f'select * from "{name}_hidden"')
    # A broker does not say whether a topic exists that the user may not describe.
    assert got.code in (2, 3) and f"{name}_hidden" in got.err, (got.code, got.err)


def test_right_taken_away(kafka_secure, read, topic):
    k = kafka_secure
    assert read(k.sasl_bootstrap, sasl("PLAIN")).ok().rows == [{"_value": "secret"}]
    k.allow("alice", "READ", name=topic, deny=True)
    refused(read(k.sasl_bootstrap, sasl("PLAIN")), "authoriz")


def test_readable_secrets_are_refused(kafka_secure, weir, tmp_path, topic):
    conf = tmp_path / "open.properties"
    conf.write_text("\n".join(sasl("PLAIN")) + "\n")
    conf.chmod(0o644)
    got = weir("-b", kafka_secure.sasl_bootstrap, "-F", conf, "-c", f'select * from "{topic}"')
    assert got.code == 1 and "chmod 600" in got.err, (got.code, got.err)
