#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernel uses the virtio devices that are not disks."""
import hashlib
import http.server
import os
import socket
import tempfile
import threading

import machine
from test_io import MEBI, noise, run


class Receiver:
    """Takes one connection's bytes on the host's loopback."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.digest = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        connection, _ = self.listener.accept()
        total = hashlib.sha256()
        while chunk := connection.recv(65536):
            total.update(chunk)
        self.digest = total.hexdigest()


def serve(folder):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **options):
            super().__init__(*args, directory=folder, **options)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def transfer(nic):
    """A file to the guest by HTTP and back to the host by plain TCP, with and without the card's
    help for checksums and segments."""
    with tempfile.TemporaryDirectory() as folder:
        expected = noise(os.path.join(folder, "file"), 2 * MEBI, 4)
        server, receiver = serve(folder), Receiver()
        text = run(
            "ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; "
            "ip route add default via 10.0.2.2; sleep 1; "
            f"wget -q -O /tmp/file http://10.0.2.2:{server.server_port}/file; "
            "echo SUM $(sha256sum /tmp/file); "
            f"nc 10.0.2.2 {receiver.port} < /tmp/file; echo SENT; "
            "echo IO-DONE", ["virtio_pci", "virtio_net"], *nic)
        server.shutdown()
        receiver.thread.join(20)
        assert f"SUM {expected}" in text, "what the guest got"
        assert receiver.digest == expected, "what the guest sent"


def network():
    """mission: virtio-net virtio-net-pci. All that is offered."""
    transfer(["-nic", "user,model=virtio"])


def network_plain():
    """mission: virtio-net-pci-transitional. The legacy interface, no offloads, single buffers."""
    transfer(["-netdev", "user,id=n0", "-device",
              "virtio-net-pci,netdev=n0,disable-modern=on,csum=off,guest_csum=off,mrg_rxbuf=off,"
              "ctrl_vq=off,vectors=0"])


def network_packed():
    """mission: virtio-net-pci-non-transitional. Packed rings."""
    transfer(["-netdev", "user,id=n0", "-device",
              "virtio-net-pci-non-transitional,netdev=n0,packed=on"])


if __name__ == "__main__":
    machine.main([network, network_plain, network_packed])
