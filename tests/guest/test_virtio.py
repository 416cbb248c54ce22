#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernel uses the virtio devices that are not disks."""
import hashlib
import http.server
import os
import re
import socket
import tempfile
import threading
import time

import assets
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
    """mission: virtio-net virtio-net-pci nic.model device.netdev
    All that is offered."""
    transfer(["-nic", "user,model=virtio"])


def network_plain():
    """The legacy interface, no offloads, single buffers.

    mission: virtio-net-pci-transitional"""
    transfer(["-netdev", "user,id=n0", "-device",
              "virtio-net-pci,netdev=n0,disable-modern=on,csum=off,guest_csum=off,mrg_rxbuf=off,"
              "ctrl_vq=off,vectors=0"])


def network_packed():
    """Packed rings.

    mission: virtio-net-pci-non-transitional"""
    transfer(["-netdev", "user,id=n0", "-device",
              "virtio-net-pci-non-transitional,netdev=n0,packed=on"])


def rng_and_serial():
    """mission: virtio-rng virtio-rng-pci virtio-serial virtio-serial-pci virtserialport virtconsole
    Random bytes; a named port in both directions; a console.
    mission: object.rng-random object.rng-random.filename device.chardev"""
    with tempfile.TemporaryDirectory() as folder:
        console, path = os.path.join(folder, "console"), os.path.join(folder, "port")
        heard = []

        def talk():
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                try:
                    with socket.socket(socket.AF_UNIX) as client:
                        client.connect(path)
                        client.settimeout(120)
                        heard.append(client.recv(6))
                        client.sendall(b"PING\n")
                        heard.append(client.recv(6))
                    return
                except OSError:
                    time.sleep(0.1)

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        text = run(
            "sleep 1; dd if=/dev/hwrng of=/tmp/r bs=4096 count=4 2>/dev/null; "
            "echo RANDOM $(wc -c < /tmp/r) $(cat /sys/class/misc/hw_random/rng_current); "
            "P=/sys/class/virtio-ports/vport1p1; test -d $P || P=/sys/class/virtio-ports/vport0p1; "
            "echo NAME $(cat $P/name); D=/dev/$(cd $P/..; ls | grep p1); "
            "exec 7<>$D; echo HELLO >&7; head -n 1 <&7 > /tmp/answer; echo ANSWER $(cat /tmp/answer); "
            "echo BYE-1 >&7; echo CONSOLE-TEXT > /dev/hvc0; sleep 1; echo IO-DONE",
            ["virtio_pci", "virtio_rng", "virtio_console"],
            "-object", "rng-random,id=r0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=r0",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=c1,path={path},server=on,wait=off",
            "-device", "virtserialport,chardev=c1,name=org.vitrine.test",
            "-chardev", f"file,id=c0,path={console}", "-device", "virtconsole,chardev=c0")
        thread.join(10)
        assert "RANDOM 16384 virtio_rng" in text, text[-600:]
        assert "NAME org.vitrine.test" in text and "ANSWER PING" in text, text[-600:]
        assert heard[0] == b"HELLO\n" and heard[1] == b"BYE-1\n", heard
        with open(console, "rb") as stream:
            assert b"CONSOLE-TEXT" in stream.read()


def balloon():
    """The guest gives 64 MiB back.

    mission: virtio-balloon virtio-balloon-pci balloon query-balloon"""
    kernel, modules_dir = assets.kernel()
    initrd = assets.initrd(
        "sleep 1; M=$(grep MemTotal /proc/meminfo); echo READY; "
        'until test "$M" != "$(grep MemTotal /proc/meminfo)"; do sleep 0.5; done; sleep 3; '
        "echo BALLOON-DONE; sleep 3; ", modules_dir=modules_dir,
        modules=["virtio_pci", "virtio_balloon"], name="balloon")
    with machine.Machine("-nodefaults", "-m", "256", "-vga", "none", "-cpu", "max", "-kernel",
                         assets.vmlinux(kernel), "-initrd", initrd, "-append",
                         "console=ttyS0 panic=-1", "-no-reboot", "-device",
                         "virtio-balloon-pci") as vm:
        vm.wait_serial("READY", 240)
        assert vm.qmp("query-balloon") == {"actual": 256 * MEBI}
        assert vm.hmp("balloon 192") == ""
        vm.wait_serial("BALLOON-DONE", 60)
        assert vm.qmp("query-balloon") == {"actual": 192 * MEBI}
        assert "actual=192" in vm.hmp("info balloon")
        assert any(event["event"] == "BALLOON_CHANGE" for event in vm.events)
        vm.wait_exit(120)


def keyboard_and_tablet():
    """Events of keys and pointers as the guest's input layer has them.

    mission: virtio-keyboard virtio-keyboard-pci virtio-tablet virtio-tablet-pci"""
    kernel, modules_dir = assets.kernel()
    initrd = assets.initrd(
        "sleep 1; cat /proc/bus/input/devices | grep -A4 Vitrine; "
        "K=$(grep -A4 'Virtio Keyboard' /proc/bus/input/devices | grep -o 'event[0-9]*'); "
        "echo READY; hexdump -v -n 24 -s 0 -e '24/1 \"%02x\" \"\\n\"' /dev/input/$K; echo IO-DONE",
        modules_dir=modules_dir, modules=["virtio_pci", "virtio_input", "evdev"], name="input")
    with machine.Machine("-nodefaults", "-m", "256", "-vga", "none", "-cpu", "max", "-kernel",
                         assets.vmlinux(kernel), "-initrd", initrd, "-append",
                         "console=ttyS0 panic=-1", "-no-reboot", "-device", "virtio-keyboard-pci",
                         "-device", "virtio-tablet-pci", "-device", "virtio-mouse-pci") as vm:
        vm.wait_serial("READY", 240)
        time.sleep(1)
        vm.key("a")
        text = vm.wait_serial("IO-DONE", 60) and vm.serial()
        assert "Vitrine Virtio Tablet" in text and "Vitrine Virtio Mouse" in text
        # type 1 (key), code 30 (A), value 1, after 16 bytes of time
        assert re.search("[0-9a-f]{32}01001e0001000000", text), text[-800:]


if __name__ == "__main__":
    machine.main([network, network_plain, network_packed, rng_and_serial, balloon, keyboard_and_tablet])
