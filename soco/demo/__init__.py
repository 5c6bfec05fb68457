"""The embedded demo.

Unlabelled images and two small detection sets, made from photographs that pip installs.
"""

from soco.demo.make import make_demo

__all__ = ["make_demo"]
