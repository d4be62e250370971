"""Files that are no longer what was saved."""

import json

import pytest

import scratchae as sa


def header_size(raw):
    return 8 + int.from_bytes(raw[:8], "little")


def refused(path, raw):
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=str(path)) as caught:
        sa.load(path)
    assert "\n" not in str(caught.value) and not isinstance(caught.value, json.JSONDecodeError)
    return str(caught.value)


def flipped(raw, at, bit=1):
    return raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
