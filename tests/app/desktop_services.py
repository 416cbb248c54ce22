# SPDX-License-Identifier: GPL-2.0-or-later
"""The desktop's side of the session bus: notifications and the session manager, in a process of their
own. What the program asks of them is written to a file, a line each."""
import json
import os
import subprocess
import sys

XML = """<node>
<interface name="org.freedesktop.Notifications">
  <method name="Notify"><arg type="s" direction="in"/><arg type="u" direction="in"/>
    <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/>
    <arg type="as" direction="in"/><arg type="a{sv}" direction="in"/>
    <arg type="i" direction="in"/><arg type="u" direction="out"/></method>
  <method name="CloseNotification"><arg type="u" direction="in"/></method>
  <method name="GetCapabilities"><arg type="as" direction="out"/></method>
  <method name="GetServerInformation"><arg type="s" direction="out"/>
    <arg type="s" direction="out"/><arg type="s" direction="out"/>
    <arg type="s" direction="out"/></method>
</interface>
<interface name="org.gnome.SessionManager">
  <method name="RegisterClient"><arg type="s" direction="in"/><arg type="s" direction="in"/>
    <arg type="o" direction="out"/></method>
  <method name="UnregisterClient"><arg type="o" direction="in"/></method>
  <method name="Inhibit"><arg type="s" direction="in"/><arg type="u" direction="in"/>
    <arg type="s" direction="in"/><arg type="u" direction="in"/>
    <arg type="u" direction="out"/></method>
  <method name="Uninhibit"><arg type="u" direction="in"/></method>
  <method name="IsInhibited"><arg type="u" direction="in"/><arg type="b" direction="out"/></method>
</interface>
<interface name="org.gnome.SessionManager.ClientPrivate">
  <method name="EndSessionResponse"><arg type="b" direction="in"/>
    <arg type="s" direction="in"/></method>
  <signal name="QueryEndSession"><arg type="u"/></signal>
  <signal name="EndSession"><arg type="u"/></signal>
</interface>
</node>"""
MANAGER, CLIENT = "/org/gnome/SessionManager", "/org/gnome/SessionManager/Client1"
PATHS = ("/org/freedesktop/Notifications", MANAGER, CLIENT)


class Services:
    def __init__(self, desktop):
        from app_driver import end_with_us
        self.asked = os.path.join(desktop.dir, "asked")
        self.process = subprocess.Popen(
            ["/usr/bin/python3", os.path.abspath(__file__), self.asked], env=desktop.env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            preexec_fn=end_with_us)
        assert self.process.stdout.readline().strip() == "ready"

    def close(self):
        self.process.kill()
        self.process.wait()

    def all(self):
        if not os.path.exists(self.asked):
            return []
        with open(self.asked, encoding="utf-8") as stream:
            return [json.loads(line) for line in stream if line.endswith("\n")]

    def calls(self, method):
        """[arguments, answer] of each."""
        return [call[1:] for call in self.all() if call[0] == method]

    def inhibited(self):
        """Flags that are in force."""
        gone = {arguments[0] for arguments, _ in self.calls("Uninhibit")}
        flags = 0
        for arguments, answer in self.calls("Inhibit"):
            flags |= 0 if answer[0] in gone else arguments[3]
        return flags

    def end_session(self, signal):
        """QueryEndSession or EndSession, to the one client."""
        self.process.stdin.write(signal + "\n")
        self.process.stdin.flush()


def serve(path):
    from gi.repository import Gio, GLib
    answers = {"Notify": GLib.Variant("(u)", (1,)),
               "GetCapabilities": GLib.Variant("(as)", (["body", "actions"],)),
               "GetServerInformation": GLib.Variant("(ssss)", ("test", "test", "1", "1.2")),
               "RegisterClient": GLib.Variant("(o)", (CLIENT,)),
               "IsInhibited": GLib.Variant("(b)", (False,))}
    cookies = iter(range(1, 1000))

    def on_call(_bus, _sender, _path, _interface, method, parameters, invocation):
        answer = answers.get(method)
        if method == "Inhibit":
            answer = GLib.Variant("(u)", (next(cookies),))
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps([method, parameters.unpack(),
                                     answer.unpack() if answer else None]) + "\n")
        invocation.return_value(answer)

    bus = Gio.bus_get_sync(Gio.BusType.SESSION)
    for interface, at in zip(Gio.DBusNodeInfo.new_for_xml(XML).interfaces, PATHS):
        bus.register_object(at, interface, on_call, None, None)
    owned = []
    for name in ("org.freedesktop.Notifications", "org.gnome.SessionManager"):
        Gio.bus_own_name_on_connection(bus, name, 0, lambda *_: owned.append(1), None)
    context = GLib.MainContext.default()
    while len(owned) < 2:
        context.iteration(True)

    def on_line(channel, _condition):
        bus.emit_signal(None, CLIENT, "org.gnome.SessionManager.ClientPrivate",
                        channel.readline().strip(), GLib.Variant("(u)", (0,)))
        return True

    GLib.io_add_watch(sys.stdin, GLib.IO_IN, on_line)
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    serve(sys.argv[1])
