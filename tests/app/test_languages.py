#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A made-up language in which every message is marked and 1.4 times as long: what is on the screen
without the mark was never given to a translator. mission: ui.languages"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "guest"))
import accessible  # noqa: E402
import app_driver  # noqa: E402
import machine  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ["VITRINE"]
DEMO = os.environ["VITRINE_DEMO"]
SHOTS = os.environ.get("VITRINE_SCREENSHOTS")
ROLES = {"push button", "toggle button", "label", "menu", "menu item", "check box", "radio button",
         "page tab", "heading"}
# names of things, numbers and units, and what toolkit and desktop say in their own catalogues
OWN = re.compile(r"^(-[a-z].*|Vitrine|Demo|Box|Close|Minimize|Maximize|Restore|Search|Add|Remove|"
                 r"[\W\d_]*|.*\d (MiB|GiB|%).*|Icon|F\d+|[A-Z]|.*Ctrl.*|.*tcg.*)$")


def make_catalogue(folder):
    """LANGUAGE=qps: each message is ⟦message~~~⟧, its placeholders and mnemonics untouched."""
    po = os.path.join(folder, "qps.po")
    template = subprocess.run(
        ["xgettext", f"--files-from={ROOT}/po/POTFILES", f"--directory={ROOT}",
         "--from-code=UTF-8", *(ROOT / "po" / "KEYWORDS").read_text().split(), "-o", "-"],
        check=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL).stdout
    text = subprocess.run(["msgen", "-"], input=template, check=True,
                          stdout=subprocess.PIPE).stdout.decode("utf-8")
    text = text.replace("charset=CHARSET", "charset=UTF-8").replace(
        '"Language: \\n"', '"Language: qps\\n"').replace("INTEGER", "2").replace(
        "EXPRESSION", "n != 1")
    blocks = text.split("\n\n")
    out = [blocks[0]]
    for block in blocks[1:]:
        head, _, body = block.partition("msgstr")
        words = "".join(re.findall(r'^"(.*)"$|^msgid "(.*)"$', head, re.M)[0]) if head else ""
        pad = "~" * max(2, len(words) * 2 // 5)
        lines = ("msgstr" + body).split("\n")
        for number, line in enumerate(lines):
            if line.startswith("msgstr"):
                lines[number] = re.sub(r'"', '"⟦', line, count=1)
                last = number + 1 == len(lines) or lines[number + 1].startswith("msgstr")
                if last:
                    lines[number] = lines[number][:-1] + pad + '⟧"'
        if not lines[-1].startswith("msgstr") and lines[-1].endswith('"'):
            end = '\\n"' if lines[-1].endswith('\\n"') else '"'
            lines[-1] = lines[-1][:-len(end)] + pad + "⟧" + end
        out.append(head + "\n".join(lines))
    with open(po, "w", encoding="utf-8") as stream:
        stream.write("\n\n".join(out) + "\n")
    target = os.path.join(folder, "qps", "LC_MESSAGES")
    os.makedirs(target)
    subprocess.run(["msgfmt", "-o", os.path.join(target, "vitrine.mo"), po], check=True)


class Session:
    def __init__(self, folder, language):
        self.desktop = app_driver.Desktop()
        self.tree = accessible.Tree(self.desktop)
        self.app = app_driver.Application(
            self.desktop, PROGRAM,
            env={"VITRINE_PAINTER": "cairo", "VITRINE_DEMO": DEMO, "VITRINE_LOCALEDIR": folder,
                 "LANGUAGE": language, "LC_ALL": "C.UTF-8"})

    def __enter__(self):
        self.app.__enter__()
        self.app.wait("library window", lambda: self.app.window("Vitrine"))
        self.app.wait("its actions", lambda: self.app.enabled("search", 1))
        return self

    def __exit__(self, *args):
        try:
            self.app.__exit__(*args)
        finally:
            self.desktop.__exit__()

    def shot(self, name):
        if SHOTS:
            os.makedirs(SHOTS, exist_ok=True)
            self.desktop.screenshot(os.path.join(SHOTS, name + ".png"))


def texts(session):
    """(role, text) of all that is in sight."""
    for node in session.tree.walk(session.tree.application()):
        role = node.get_role_name()
        name = (node.get_name() or "").strip()
        if role in ROLES and name:
            yield role, name


def made_up_language():
    with tempfile.TemporaryDirectory() as folder:
        make_catalogue(folder)
        with Session(folder, "qps") as session:
            app = session.app
            app.action("open-machine", session_demo_name(session))
            app.wait("running", lambda: app.enabled("power-button", 2), 30)
            app.action("preferences")
            time.sleep(2)
            session.shot("pseudo")
            found = list(texts(session))
            # a machine's settings: words of the engine's declarations
            app.action("settings", session_demo_name(session))
            app.wait("settings", lambda: app.window("⟦.*Demo.*Settings.*"), 20)
            time.sleep(2)
            session.shot("pseudo-settings")
            found += list(texts(session))
            marked = [text for _, text in found if "⟦" in text]
            plain = sorted({f"{role}: {text}" for role, text in found
                            if "⟦" not in text and not OWN.match(text)})
            assert len(marked) > 20, found
            print("# " + "; ".join(plain) if plain else "# nothing unmarked", flush=True)
            assert not plain, plain


def session_demo_name(session):
    """The demo machine's own name is translated as well."""
    card = session.tree.wait("⟦Demo~~⟧", None, 10)
    return card.get_name()


if __name__ == "__main__":
    machine.main([made_up_language])
