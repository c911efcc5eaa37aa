"""Certificates for the TLS tests, made with openssl: a CA and whatever it is asked to sign.

    pki = Pki(folder)                               # folder/ca.pem, folder/ca.key
    cert = pki.issue("server", hosts=["localhost", "127.0.0.1"])
    cert.cert, cert.key, cert.both                  # paths; `both` is key + certificate in one file, as a PEM key store
    pki.issue("old", hosts=["localhost"], days=-1)  # expired yesterday
    Pki(other_folder).issue("client")               # of a CA that the broker does not know
    sub = pki.intermediate("line 1 CA")             # a Pki whose own certificate pki signed; sub.ca belongs into the chain
"""
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path


def _openssl(*args, cwd=None):
    subprocess.run(["openssl", *map(str, args)], cwd=cwd, check=True, capture_output=True, timeout=60)


@dataclass
class Cert:
    cert: Path
    key: Path
    both: Path


class Pki:
    def __init__(self, folder, name="weir test CA"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca, self._ca_key = self.folder / "ca.pem", self.folder / "ca.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 30, "-subj", f"/CN={name}",
                 "-keyout", self._ca_key, "-out", self.ca, "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        (self.folder / "db").write_text("")
        (self.folder / "serial").write_text("1000\n")

    def intermediate(self, name):
        sub = Pki(self.folder / name.replace(" ", "-"), name)
        csr, ext = sub.folder / "ca.csr", sub.folder / "ca.ext"
        _openssl("req", "-new", "-key", sub._ca_key, "-subj", f"/CN={name}", "-out", csr)
        ext.write_text("basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n")
        _openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self._ca_key, "-set_serial", 77, "-days", 30, "-extfile", ext, "-out", sub.ca)
        return sub

    def issue(self, name, hosts=(), days=30):
        """Signs a certificate for CN=name; with days < 0 it expired that many days ago."""
        key, csr, cert, both = (self.folder / f"{name}.{ext}" for ext in ("key", "csr", "pem", "both.pem"))
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", key)   # PKCS#8, as Kafka wants it
        _openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", csr)
        names = ",".join(("IP:" if h.replace(".", "").isdigit() else "DNS:") + h for h in hosts)
        conf = self.folder / f"{name}.cnf"
        conf.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.folder}/db\nserial={self.folder}/serial\nnew_certs_dir={self.folder}\n"
                        "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n[x]\nextendedKeyUsage=serverAuth,clientAuth\n"
                        + (f"subjectAltName={names}\n" if names else ""))
        now = datetime.now(timezone.utc)
        start, end = (now - timedelta(days=2 - 2 * min(days, 0)), now + timedelta(days=days))
        _openssl("ca", "-batch", "-notext", "-config", conf, "-extensions", "x", "-cert", self.ca, "-keyfile", self._ca_key, "-in", csr, "-out", cert,
                 "-startdate", start.strftime("%Y%m%d%H%M%SZ"), "-enddate", end.strftime("%Y%m%d%H%M%SZ"))
        both.write_text(key.read_text() + cert.read_text())
        return Cert(cert, key, both)
