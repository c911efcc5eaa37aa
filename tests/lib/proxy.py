"""A TCP proxy with faults, to stand between weir and a broker.

    proxy = TcpProxy(target_port)          # listens at proxy.port at once
    proxy.delay_s = 0.2                    # each chunk, each way
    proxy.bytes_per_s = 1                  # trickle: that many bytes a second towards the client
    proxy.stalled = True                   # connections stay open, nothing passes
    proxy.refusing = True                  # new connections are closed at once
    proxy.cut()                            # close all connections now (RST)
    proxy.cut_after_bytes = 4096           # each connection is cut after that many bytes towards the client
    proxy.heal()                           # no faults any more
    proxy.close()                          # nobody listens at the port any more

Faults may be changed at any time and hold for connections that are open too. A Kafka client leaves a bootstrap address for the
advertised one, so a broker must advertise the proxy's port: RealKafka does, on its listener PROXY.
"""
import select
import socket
import struct
import threading
import time


class TcpProxy:
    def __init__(self, target_port, port=0, target_host="127.0.0.1"):
        self.target = (target_host, target_port)
        self._lock = threading.Lock()
        self._pairs = set()
        self._closed = False
        self.connections_n = 0       # accepted so far
        self.down_bytes = 0          # passed towards clients so far
        self.heal()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def heal(self):
        self.delay_s = 0.0
        self.bytes_per_s = 0         # 0 = no limit
        self.stalled = False
        self.refusing = False
        self.cut_after_bytes = 0     # 0 = never

    def cut(self):
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for s in pair:
                _reset(s)

    def close(self):
        self._closed = True
        self._listener.close()
        self.cut()

    def _accept(self):
        while not self._closed:
            try:
                if not select.select([self._listener], [], [], 0.2)[0]:
                    continue
                client, _ = self._listener.accept()
            except (OSError, ValueError):      # closed meanwhile
                return
            if self.refusing:
                _reset(client)
                continue
            try:
                server = socket.create_connection(self.target, timeout=5)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            for s in (client, server):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = (client, server)
            with self._lock:
                self._pairs.add(pair)
                self.connections_n += 1
            threading.Thread(target=self._pump, args=(client, server, pair, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, pair, True), daemon=True).start()

    def _pump(self, source, sink, pair, down):
        passed = 0
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                while data:
                    while self.stalled and not self._closed:
                        time.sleep(0.02)
                    if self.delay_s:
                        time.sleep(self.delay_s)
                    part = data
                    if down and self.bytes_per_s:
                        part = data[:max(1, self.bytes_per_s // 10)]
                        time.sleep(len(part) / self.bytes_per_s)
                    if down and self.cut_after_bytes:
                        part = part[:self.cut_after_bytes - passed]
                    sink.sendall(part)
                    data = data[len(part):]
                    passed += len(part)
                    if down:
                        self.down_bytes += len(part)
                        if self.cut_after_bytes and passed >= self.cut_after_bytes:
                            raise OSError("cut")
        except OSError:
            pass
        with self._lock:
            self._pairs.discard(pair)
        for s in pair:
            _reset(s)


def _reset(s):
    """Closes so that the peer sees a reset, and wakes whoever reads from it here."""
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    s.close()
