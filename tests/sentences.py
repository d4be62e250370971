"""Errors that are one sentence."""

import re

import pytest


def words_of(value):
    return re.sub(r"\W+", " ", value).strip() if isinstance(value, str) else ""


def one_sentence(call, error, words):
    with pytest.raises(error) as caught:
        call()
    sentence = str(caught.value)
    assert re.search(words, sentence) and "\n" not in sentence, sentence
    assert type(caught.value) is error
