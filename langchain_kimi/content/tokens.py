"""How many tokens a text has, without the tokenizer.

Kimi's tokenizer (163,840 words, tiktoken) first cuts a text into pieces: a word with the space
before it, up to three digits, a run of punctuation, a line break, an indentation. Common pieces are
one token each, so counting pieces comes close; what a piece costs beside that, and what a character
of another script costs, is fitted. The bytes are mapped to classes and pairs of classes are
counted, which takes about 40 ms for a million characters.

The weights were fitted on every second one of 136 English, Python, JSON and table samples and
rounded; on the others the median absolute error is 1.6 %. Chinese, Japanese, Russian and Arabic
have few samples: their rates are averages. Scripts without a sample have a guess.
"""

from __future__ import annotations

__all__ = ["estimate_tokens"]

_UPPER, _LOWER, _DIGIT, _SPACE, _BREAK, _MARK, _OTHER = b"A", b"a", b"0", b" ", b"\n", b".", b"x"

_PER_CHARACTER: dict[str, tuple[range, float]] = {
    # the first byte of a character in UTF-8, and what a character of that kind costs
    "l": (range(0xC2, 0xCE), 1.5),  # accented Latin: it cuts a word in two
    "g": (range(0xCE, 0xD0), 0.5),  # Greek
    "c": (range(0xD0, 0xD4), 0.44),  # Cyrillic
    "h": (range(0xD4, 0xD8), 0.5),  # Armenian, Hebrew
    "r": (range(0xD8, 0xDC), 0.52),  # Arabic
    "s": (range(0xDC, 0xE0), 0.7),  # Syriac, Thaana
    "i": (range(0xE0, 0xE2), 0.9),  # Indic, Thai, Georgian, Ethiopic
    "p": (range(0xE2, 0xE3), 1.0),  # dashes, quotation marks, arrows
    "k": (range(0xE3, 0xE4), 1.05),  # kana, East Asian punctuation
    "H": (range(0xE4, 0xEA), 0.49),  # Chinese characters
    "K": (range(0xEA, 0xEE), 0.8),  # Hangul
    "f": (range(0xEE, 0xF0), 0.8),  # full-width forms
    "Z": (range(0xF0, 0xF5), 2.5),  # emoji, rare characters
}
_CAMEL = 1.8
_DIGITS = 0.93
_SPACE_BEFORE_DIGIT = 1.05
_BREAK_COST = 1.1
_INDENT = 0.95
_CAPITAL = 0.12
_PER_MARK = 0.04
_LONG_WORD = b"a" * 12
_LONG_COST = 2.0
"""What twelve letters in a row cost beyond a word: names, hashes, compounds."""


def _classes() -> bytes:
    table = bytearray(_OTHER * 256)
    for byte in range(128):
        character = chr(byte)
        if character.isalnum():
            kind = _DIGIT if character.isdigit() else _UPPER if character.isupper() else _LOWER
        elif character in "\r\n":
            kind = _BREAK
        else:
            kind = _SPACE if character in " \t" else _MARK
        table[byte] = kind[0]
    for name, (bytes_, _) in _PER_CHARACTER.items():
        for byte in bytes_:
            table[byte] = ord(name)
    return bytes(table)


_CLASS_OF = _classes()
_WITHOUT_CASE = bytes.maketrans(b"A", b"a")
_LETTER_STARTS = [before + b"a" for before in (_SPACE, _BREAK, _MARK, _DIGIT, _OTHER)]
_MARK_STARTS = [before + b"." for before in (_SPACE, _BREAK, _DIGIT, _LOWER, _OTHER)]
_MARK_IN_WORD = [before + b".a" for before in (_LOWER, _DIGIT, _BREAK)]
_BREAK_STARTS = [before + b"\n" for before in (_SPACE, _DIGIT, _LOWER, _OTHER)]
_INDENTS = [b"  " + after for after in (_LOWER, _MARK, _DIGIT)]


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens Kimi's tokenizer makes of a text.

    Linear in the text; no memory is kept. The error is under 7 % for nine texts in ten of the
    samples, and larger for scripts that have none.

    Args:
        text: Any text.
    """
    if not text:
        return 0
    cased = text.encode("utf-8", "replace").translate(_CLASS_OF)
    plain = b"\n" + cased.translate(_WITHOUT_CASE) + b"\n"
    tokens = float(_all(plain, _LETTER_STARTS))
    tokens += _LONG_COST * plain.count(_LONG_WORD)
    tokens += _CAMEL * cased.count(b"aA") + _CAPITAL * cased.count(_UPPER)
    tokens += _DIGITS * _groups_of_digits(cased) + _SPACE_BEFORE_DIGIT * plain.count(b" 0")
    # a single mark before letters belongs to their piece: `.name`, `(self`
    tokens += _all(plain, _MARK_STARTS) - _all(plain, _MARK_IN_WORD)
    tokens += _PER_MARK * cased.count(_MARK)
    # a break after a mark belongs to the mark's piece; the last one was added here
    tokens += _BREAK_COST * (_all(plain, _BREAK_STARTS) - (cased[-1:] not in b".\n"))
    tokens += _INDENT * _all(plain, _INDENTS)
    if not text.isascii():
        tokens += sum(
            rate * cased.count(name.encode()) for name, (_, rate) in _PER_CHARACTER.items()
        )
    return max(1, round(tokens))


def _all(classes: bytes, pairs: list[bytes]) -> int:
    return sum(map(classes.count, pairs))


def _groups_of_digits(classes: bytes) -> int:
    """Count the pieces of up to three digits."""
    threes = classes.count(b"000")
    rest = classes.replace(b"000", b"3")
    return threes + rest.count(b"0") - rest.count(b"00")
