"""A real name server (nsd) on a free port with the zones a test needs."""
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest

from posts import free_port, wait_until

HEAD = "$ORIGIN {0}.\n$TTL 60\n@ IN SOA ns.{0}. hostmaster.{0}. 1 3600 600 86400 60\n@ IN NS ns.{0}.\nns IN A 127.0.0.1\n"


class NameServer:
    """zones: {"south.test": "@ IN MX 10 mail.south.test.\\nmail IN A 127.0.0.2\\n"}"""

    def __init__(self, zones):
        self.nsd = shutil.which("nsd") or shutil.which("nsd", path="/usr/sbin:/sbin")
        if not self.nsd:
            raise unittest.SkipTest("no nsd")
        self.dir = tempfile.mkdtemp(prefix="yizhan-nsd-")
        self.port = free_port(socket.SOCK_DGRAM)
        conf = [f'server:\n  ip-address: 127.0.0.1@{self.port}\n  username: ""\n  chroot: ""\n  zonesdir: "{self.dir}"\n'
                f'  pidfile: "{self.dir}/pid"\n  database: ""\n  zonelistfile: "{self.dir}/zones"\n'
                f'  xfrdfile: "{self.dir}/xfrd"\n  xfrdir: "{self.dir}"\n  server-count: 1\n  logfile: "{self.dir}/log"\n'
                "remote-control:\n  control-enable: no\n"]
        for name, text in zones.items():
            with open(os.path.join(self.dir, name), "w") as f:
                f.write(HEAD.format(name) + text)
            conf.append(f"zone:\n  name: {name}\n  zonefile: {name}\n")
        with open(os.path.join(self.dir, "nsd.conf"), "w") as f:
            f.write("".join(conf))
        self.process = subprocess.Popen([self.nsd, "-d", "-c", os.path.join(self.dir, "nsd.conf")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.answers(next(iter(zones)))

    def answers(self, name):
        question = b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0" + struct.pack(">HH", 6, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            s.connect(("127.0.0.1", self.port))

            def ask():
                if self.process.poll() is not None:
                    raise AssertionError("nsd did not start: " + open(os.path.join(self.dir, "log")).read()[-500:])
                try:
                    s.send(struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + question)
                    return s.recv(512)[3] & 15 == 0
                except OSError:
                    return False

            wait_until(ask, 10, "nsd")

    def config(self):
        return f"[dns]\nserver = 127.0.0.1\nport = {self.port}\n"

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)
