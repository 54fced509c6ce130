"""The tokens of WAVE text and their places, read one after another.

Each character is read a fixed number of times, so that the time is linear in the text.

Source: wave_ebnf.md of the crate wasm-wave.
"""

import re
from collections.abc import Iterator
from typing import NoReturn

from propeller.errors import Invalid

_SPACE = re.compile(r"(?:[ \t\n\r]++|//[^\n]*+)*+")
_LABEL = re.compile(r"(%?)([A-Za-z][A-Za-z0-9]*+(?:-[A-Za-z0-9]++)*+)")
_WORD = re.compile(r"[-+.\w]*+", re.ASCII)
_PLAIN = re.compile(r'[^"\\\n]*+')
_ESCAPE = re.compile(r"""\\(?:([tnr'"\\])|u\{([0-9a-fA-F]{1,6})\})""")
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "'": "'", '"': '"', "\\": "\\"}
_QUOTES = '"""'
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: How many characters a message shows before and after the place.
_BEFORE, _AFTER = 40, 30


class Fault(Exception):
    """An error at a place of the text."""

    def __init__(self, at: int, problem: str) -> None:
        super().__init__(problem)
        self.at = at
        self.problem = problem

    def invalid(self, text: str) -> Invalid:
        """Make the user's error, which points at the character."""
        begin = text.rfind("\n", 0, self.at) + 1
        end = text.find("\n", self.at)
        before = text[max(begin, self.at - _BEFORE) : self.at]
        after = text[self.at : min(len(text) if end < 0 else end, self.at + _AFTER)]
        line = f"line {text.count(chr(10), 0, self.at) + 1}, " if "\n" in text else ""
        place = f"{line}character {self.at - begin + 1}"
        excerpt = _CONTROL.sub("·", before + after)
        return Invalid(f"{self.problem} at {place}:\n  {excerpt}\n  {' ' * len(before)}^")


class TokenReader:
    def __init__(self, text: str) -> None:
        self._text = text
        #: The place of the next character.
        self.at = 0
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                self.fail("half of a surrogate pair is no character: use the whole character", error.start)

    def fail(self, problem: str, at: int | None = None) -> NoReturn:
        raise Fault(self.at if at is None else at, problem)

    def start(self) -> int:
        """Skip space and comments; give the place of the next token."""
        match = _SPACE.match(self._text, self.at)
        assert match is not None, "it may be empty"
        self.at = match.end()
        return self.at

    def take(self, symbol: str) -> bool:
        """Take this symbol if it is next; say whether it was."""
        found = self._text.startswith(symbol, self.start())
        if found:
            self.at += len(symbol)
        return found

    def expect(self, symbol: str, wanted: str) -> None:
        if not self.take(symbol):
            self.fail(f"expected {wanted}")

    def end(self) -> None:
        if self.start() < len(self._text):
            self.fail("expected the end of the value")

    def items(self, close: str) -> Iterator[None]:
        """Stop before each item of a sequence, from behind its opening bracket to its closing one."""
        while not self.take(close):
            yield
            if not self.take(","):
                self.expect(close, f"a comma or {close}")
                return

    def word(self) -> str:
        """Read the characters that can belong to a number."""
        match = _WORD.match(self._text, self.start())
        assert match is not None, "it may be empty"
        self.at = match.end()
        return match[0]

    def label(self, wanted: str) -> str:
        """Read a name of the type, without the ``%`` of names like keywords."""
        name = self.maybe_label(is_keyword=False)
        if name is None:
            self.fail(f"expected {wanted}")
        return name

    def keyword(self) -> str | None:
        """Read a word without ``%``, if there is one."""
        return self.maybe_label(is_keyword=True)

    def maybe_label(self, *, is_keyword: bool) -> str | None:
        match = _LABEL.match(self._text, self.start())
        if match is None or (is_keyword and match[1]):
            return None
        self.at = match.end()
        return match[2]

    def char(self) -> str:
        begin = self.start()
        wanted = "expected one character in single quotes"
        if not self.take("'"):
            self.fail(wanted)
        found = self._text[self.at : self.at + 1]
        if found in {"", "\n", "'"}:
            self.fail(wanted, begin)
        if found == "\\":
            found = self._escape()
        else:
            self.at += 1
        if not self._text.startswith("'", self.at):
            self.fail(wanted, begin)
        self.at += 1
        return found

    def string(self) -> str:
        begin = self.start()
        if self._text.startswith(_QUOTES, begin):
            return self._long_string()
        self.expect('"', "a string in double quotes")
        parts = []
        while True:
            match = _PLAIN.match(self._text, self.at)
            assert match is not None, "it may be empty"
            parts.append(match[0])
            self.at = match.end()
            match self._text[self.at : self.at + 1]:
                case '"':
                    self.at += 1
                    return "".join(parts)
                case "\\":
                    parts.append(self._escape())
                case "\n":
                    self.fail(r"a line end inside of a string has to be written \n")
                case _:
                    self.fail("the string that begins here has no end: expected a closing quote", begin)

    def _long_string(self) -> str:
        """Read a string of several lines; the spaces before its end are left out from each."""
        begin = self.at
        end = self._text.find(_QUOTES, begin + 3)
        if end < 0:
            self.fail('the string that begins here has no end: expected """')
        lines = self._text[begin + 3 : end].split("\n")
        if len(lines) == 1 or lines[0] not in {"", "\r"}:
            self.fail('expected a line end behind """', begin + 3)
        indent = lines[-1]
        if indent.strip(" "):
            self.fail('expected nothing but spaces before the closing """', end)
        self.at = begin + 3 + len(lines[0]) + 1
        read = []
        for line in lines[1:-1]:
            next_line = self.at + len(line) + 1
            if not line.startswith(indent):
                self.fail(f'expected {len(indent)} spaces, as before the closing """')
            self.at += len(indent)
            read.append(self._unescaped(next_line - 1 - line.endswith("\r")))
            self.at = next_line
        self.at = end + 3
        return "\n".join(read)

    def _unescaped(self, end: int) -> str:
        parts = []
        while (escape := self._text.find("\\", self.at, end)) >= 0:
            parts.append(self._text[self.at : escape])
            self.at = escape
            parts.append(self._escape())
        return "".join([*parts, self._text[self.at : end]])

    def _escape(self) -> str:
        match = _ESCAPE.match(self._text, self.at)
        if match is None:
            self.fail(r"expected one of \n \r \t \" \' \\ \u{…}")
        if match[1]:
            found = _ESCAPED[match[1]]
        else:
            code = int(match[2], 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                self.fail("there is no such character")
            found = chr(code)
        self.at = match.end()
        return found
