"""Pickles of strangers: depth and numbers are checked before they are read; nothing is executed."""

import pickletools
from typing import IO, Any

MAX_DEPTH = 200
"""Containers inside one another; data sets and checkpoints have fewer than ten."""

_TO_MARK = {"TUPLE", "LIST", "DICT", "FROZENSET", "INST", "OBJ", "POP_MARK"}
_TO_MARK |= {"APPENDS", "SETITEMS", "ADDITEMS"}
"""Opcodes that take all objects above a mark."""

_INTO = {"APPENDS", "SETITEMS", "ADDITEMS", "APPEND", "SETITEM", "BUILD"}
"""Opcodes that add to the container below."""


def check_pickle(content: bytes | IO[bytes]) -> None:
    """Refuse a pickle with deeply nested containers or absurd numbers; nothing is executed.

    Hashing a tuple of three million tuples overflows the C stack, as does freeing as many lists in torch; a
    memo index of 2³² allocates gigabytes.

    Parameters
    ----------
    content
        The pickle, or a stream that is read up to its end.

    Raises
    ------
    ValueError
        The pickle is broken, too deep, or has such numbers.
    """
    depths = _Depths()
    try:
        for n, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            depths.apply(opcode, argument, n)
    except (IndexError, KeyError) as error:
        raise ValueError("a broken pickle") from error


class _Depths:
    """The depth of each object that a pickle makes, followed without making any."""

    def __init__(self) -> None:
        self._depth: list[int] = []  # of each object, by its number
        self._stack: list[int] = []  # numbers of objects
        self._marks: list[int] = []
        self._memo: dict[int, int] = {}
        self._used: set[int] = set()  # objects taken from the memo, whose depth has been counted elsewhere

    def apply(self, opcode: pickletools.OpcodeInfo, argument: Any, n: int) -> None:
        """Follow the n-th opcode."""
        name, stack, marks = opcode.name, self._stack, self._marks
        if name == "MARK":
            marks.append(len(stack))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            index = len(self._memo) if argument is None else int(argument)
            if not 0 <= index <= n:
                raise ValueError(f"a pickle with the memo index {index} after {n} operations")
            self._memo[index] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET", "DUP"):
            number = stack[-1] if name == "DUP" else self._memo[int(argument or 0)]
            self._used.add(number)
            stack.append(number)
        elif name == "POP" and marks and marks[-1] == len(stack):
            marks.pop()
        else:
            self._make(opcode)

    def _make(self, opcode: pickletools.OpcodeInfo) -> None:
        """Take objects from the stack; add them to the one below, or to a new one."""
        stack, name = self._stack, opcode.name
        start = self._marks.pop() if name in _TO_MARK else len(stack) - len(opcode.stack_before)
        if name in _INTO and name not in _TO_MARK:
            start += 1  # the container stays
        if start < 0:
            raise IndexError
        taken = stack[start:]
        depth = 1 + max((self._depth[number] for number in taken), default=0)
        del stack[start:]
        if name in _INTO:
            container = stack[-1]
            if container in self._used:
                raise ValueError("a pickle that adds to an object in use, as no data set does")
            self._depth[container] = max(self._depth[container], depth)
        elif name != "POP_MARK":
            for _ in opcode.stack_after:
                stack.append(len(self._depth))
                self._depth.append(depth if taken or name in _TO_MARK else 0)
        if stack and self._depth[stack[-1]] > MAX_DEPTH:
            raise ValueError(f"a pickle of more than {MAX_DEPTH} containers inside one another")
