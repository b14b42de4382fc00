"""What is wrong with a piece of LaTeX, found by reading its signs one by one; empty if nothing."""

import re

TOKEN = re.compile(r"\\(begin|end)\{(\w+\*?)\}|\\[a-zA-Z]+|\\.|\$\$|.", re.DOTALL)
CLOSES = {"{": "}", r"\left": r"\right", r"\[": r"\]", r"\(": r"\)", "$": "$"}
DISPLAYS = {"equation", "equation*", "align", "align*", "gather", "gather*"}
MATHEMATICAL = {"matrix", "pmatrix", "bmatrix", "cases", "aligned", "array", "smallmatrix"}
TEXT_COMMANDS = {r"\text", r"\textbf", r"\emph", r"\textit", r"\label", r"\operatorname"}


def faults(latex: str) -> list[str]:
    """Groups, environments, \\left and dollars that do not match, and signs in the wrong mode."""
    found: list[str] = []
    expected: list[str] = []
    previous = ""
    for match in TOKEN.finditer(latex):
        token = match[0]
        math = in_math(expected)
        if match[1] == "begin":
            if match[2] in MATHEMATICAL and not math:
                found.append(f"{match[2]} outside mathematics")
            expected.append(match[2])
        elif match[1] == "end":
            if not expected or expected.pop() != match[2]:
                found.append(f"\\end{{{match[2]}}} closes nothing")
        elif expected and token == expected[-1]:
            expected.pop()
        elif token in CLOSES:
            if token in ("$", r"\[", r"\(") and math:
                found.append(f"{token} inside mathematics")
            words = token == "{" and previous in TEXT_COMMANDS
            expected.append("text}" if words else CLOSES[token])
        elif token == "}" and expected and expected[-1] == "text}":
            expected.pop()
        elif token in ("}", r"\right", r"\]", r"\)", "$$"):
            found.append(f"{token} closes nothing")
        elif token in ("_", "^", "<", ">", "|", "&") and not math:
            found.append(f"{token} outside mathematics")
        elif token in ("#", "%"):
            found.append(f"{token} is not escaped")
        previous = token
    return found + [f"{token} is missing" for token in expected]


def in_math(expected: list[str]) -> bool:
    """Whether what is open means mathematics: the innermost of dollars, displays and text."""
    for token in reversed(expected):
        if token == "text}":
            return False
        if token in ("$", r"\]", r"\)") or token in DISPLAYS:
            return True
    return False
