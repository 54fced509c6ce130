r"""How expressions are written: the grammar of CEL, without messages, bytes and unsigned numbers.

Source: the language definition of CEL, section "Syntax".

Differs: any text may have a line break, because YAML and JSON make one of the ``\n`` in ``"'30\n'"``.
"""

import re

from propeller.errors import Invalid

#: An LALR(1) grammar, as Lark takes it. Rules with ``->`` are those that do something.
GRAMMAR = r"""
?start: choice
?choice: either | either "?" either ":" choice -> if_else
?either: both | either "||" both -> or_
?both: relation | both "&&" relation -> and_
?relation: sum_ | relation RELATION sum_ -> relate | relation IN sum_ -> relate
?sum_: product | sum_ SIGN product -> calculate | sum_ MINUS product -> calculate
?product: unary | product FACTOR unary -> calculate
?unary: member | nots member -> not_ | minuses member -> minus
nots: NOT+
minuses: MINUS+
?member: primary
    | member DOT NAME -> field
    | member DOT NAME "(" arguments ")" -> method
    | member "[" choice "]" -> item
?primary: "(" choice ")"
    | NAME -> variable
    | NAME "(" arguments ")" -> call
    | "[" arguments ","? "]" -> list_
    | "{" entries ","? "}" -> object_
    | INTEGER -> integer
    | FLOAT -> float_
    | STRING -> string
    | TRUE -> true
    | FALSE -> false
    | NULL -> null
arguments: (choice ("," choice)*)?
entries: (entry ("," entry)*)?
entry: choice ":" choice

RELATION: "==" | "!=" | "<=" | ">=" | "<" | ">"
IN: "in"
TRUE: "true"
FALSE: "false"
NULL: "null"
SIGN: "+"
MINUS: "-"
NOT: "!"
DOT: "."
FACTOR: "*" | "/" | "%"
NAME: /[A-Za-z_][A-Za-z0-9_]*/
FLOAT.2: /[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+/
INTEGER: /0x[0-9A-Fa-f]+|[0-9]+/
STRING.3: /[rR]("{3}(.|\n)*?"{3}|'{3}(.|\n)*?'{3}|"[^"]*"|'[^']*')/
    | /"{3}(\\(.|\n)|[^\\])*?"{3}|'{3}(\\(.|\n)|[^\\])*?'{3}/
    | /"(\\(.|\n)|[^"\\])*"|'(\\(.|\n)|[^'\\])*'/
COMMENT: /\/\/[^\n]*/
SPACE: /[ \t\r\n\f]+/
%ignore SPACE
%ignore COMMENT
"""

_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|[xX]([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-3][0-7]{2})|(.?))",
    re.DOTALL,
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def text_of(literal: str, at: int) -> str:
    """Read a text as it is written, with its quotes; ``at`` is where it begins.

    Raises:
        Invalid: It has an escape that is none.

    """
    is_raw = literal[0] in "rR"
    quoted = literal[1:] if is_raw else literal
    width = 3 if quoted[:3] in ('"""', "'''") and len(quoted) >= 6 else 1
    inner = quoted[width:-width]
    if is_raw:
        return inner

    def replacement(match: re.Match[str]) -> str:
        plain, byte, short, long, octal, unknown = match.groups()
        if plain:
            return _PLAIN.get(plain, plain)
        digits, base = (octal, 8) if octal else (byte or short or long, 16)
        number = int(digits, base) if digits else -1
        if unknown is not None or not 0 <= number < 0x110000 or 0xD800 <= number < 0xE000:
            raise Invalid(
                f"at character {at + width + match.start() + 1}: {match[0]} is no escape; write \\\\ for a "
                "backslash"
            )
        return chr(number)

    return _ESCAPE.sub(replacement, inner)
