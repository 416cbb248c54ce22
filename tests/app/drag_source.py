#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A window whose whole face can be dragged: drag_source.py uri|text VALUE. What a file manager or an
editor is to the application under test."""
import sys

import gi
gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, Gtk  # noqa: E402

KIND, VALUE = sys.argv[1:3]


def main():
    window = Gtk.Window(title="Drag source", default_width=120, default_height=80)
    box = Gtk.EventBox(visible=True)
    box.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [], Gdk.DragAction.COPY)
    if KIND == "uri":
        box.drag_source_add_uri_targets()
        box.connect("drag-data-get", lambda *a: a[2].set_uris([VALUE]))
    else:
        box.drag_source_add_text_targets()
        box.connect("drag-data-get", lambda *a: a[2].set_text(VALUE, -1))
    window.add(box)
    window.connect("destroy", Gtk.main_quit)
    window.show_all()
    window.move(1100, 900)
    Gtk.main()


main()
