"""The embedded demo: unlabelled images and two small detection sets, made from photographs.

pip installs the photographs, so that the demo needs no download. No other package imports this one.
"""

from soco.demo.make import make_demo

__all__ = ["make_demo"]
