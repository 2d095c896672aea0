"""Texts that steer a terminal."""

import re

EVIL = "\x1b[31m\x1b]0;x\x07\u202e\x9b2J\x08"
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
