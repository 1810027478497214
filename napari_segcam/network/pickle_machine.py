"""The pickle machine: a stack and a memo, and the instructions of all pickle protocols, on inert objects."""

from __future__ import annotations

from _compat_pickle import IMPORT_MAPPING
from collections.abc import Callable, Mapping
from typing import Any

from napari_segcam.network.inert_objects import Malformed, Named, NotInert, Record

_DEEPEST_KEY = 3

_MARK = object()

_LITERALS = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_NEW: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}


class PickleMachine:
    """Does one instruction after the other; arguments as for ``read_pickle``.

    Raises:
        NotInert: at the first name that is not permitted.
        Malformed, ValueError, IndexError, KeyError, OverflowError: at instructions that make no sense.
    """

    def __init__(
        self,
        permitted: Callable[[str], bool],
        rebuild: Mapping[str, Callable[..., Any]],
        persistent: Callable[[Any], Any],
    ) -> None:
        self._permitted, self._rebuild, self._persistent = permitted, rebuild, persistent
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def do(self, opcode: str, argument: Any) -> None:
        if opcode in _LITERALS:
            self._stack.append(argument)
        elif opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode])
        elif opcode in _NEW:
            self._stack.append(_NEW[opcode]())
        elif opcode in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._memo[int(argument)] = self._top()
        elif opcode == "MEMOIZE":
            self._memo[len(self._memo)] = self._top()
        elif opcode in ("BINGET", "LONG_BINGET", "GET"):
            self._stack.append(self._memo[int(argument)])
        elif opcode not in ("PROTO", "FRAME"):
            instruction = getattr(self, f"_do_{opcode.lower()}", None)
            if instruction is None:  # extension registry, out-of-band buffers, text persistent ids
                raise Malformed(f"it uses the instruction {opcode}, which checkpoints do not have")
            instruction(argument)

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise Malformed("a value is missing")
        return value

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise Malformed("a value is missing")
        return self._stack[-1]

    def _since_mark(self) -> list[Any]:
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                values = self._stack[place + 1 :]
                del self._stack[place:]
                return values
        raise Malformed("a mark is missing")

    def _do_mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _do_pop(self, _: Any) -> None:
        self._stack.pop()

    def _do_pop_mark(self, _: Any) -> None:
        self._since_mark()

    def _do_dup(self, _: Any) -> None:
        self._stack.append(self._top())

    def _do_tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._since_mark()))

    def _do_tuple1(self, _: Any) -> None:
        self._stack.append((self.pop(),))

    def _do_tuple2(self, _: Any) -> None:
        second = self.pop()
        self._stack.append((self.pop(), second))

    def _do_tuple3(self, _: Any) -> None:
        third, second = self.pop(), self.pop()
        self._stack.append((self.pop(), second, third))

    def _do_list(self, _: Any) -> None:
        self._stack.append(self._since_mark())

    def _do_dict(self, _: Any) -> None:
        values = self._since_mark()
        self._stack.append({})
        self._set(values)

    def _do_frozenset(self, _: Any) -> None:
        self._stack.append(frozenset(map(_checked_key, self._since_mark())))

    def _do_append(self, _: Any) -> None:
        self._append([self.pop()])

    def _do_appends(self, _: Any) -> None:
        self._append(self._since_mark())

    def _do_setitem(self, _: Any) -> None:
        value = self.pop()
        self._set([self.pop(), value])

    def _do_setitems(self, _: Any) -> None:
        self._set(self._since_mark())

    def _do_additems(self, _: Any) -> None:
        values = self._since_mark()
        target = self._top()
        if not isinstance(target, set):
            raise Malformed("items are added to what is no set")
        target.update(map(_checked_key, values))

    def _append(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, Record):
            target = target.items
        if not isinstance(target, list):
            raise Malformed("items are appended to what is no list")
        target.extend(values)

    def _set(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, Record):
            target = target.entries
        if not isinstance(target, dict) or len(values) % 2:
            raise Malformed("entries are set in what is no dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_checked_key(key)] = value

    def _do_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._stack.append(self._named(module, name))

    def _do_stack_global(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise Malformed("a name is no text")
        self._stack.append(self._named(module, name))

    def _named(self, module: str, name: str) -> Named:
        full = f"{IMPORT_MAPPING.get(module, module)}.{name}"  # Python 2's names, as pickles up to protocol 2 have them
        if not self._permitted(full):
            raise NotInert(full)
        return Named(full)

    def _do_reduce(self, _: Any) -> None:
        args = self.pop()
        self._make(self.pop(), args, called=True)

    def _do_newobj(self, _: Any) -> None:
        args = self.pop()
        self._make(self.pop(), args, called=False)

    def _do_newobj_ex(self, _: Any) -> None:
        self.pop()  # keyword arguments: no class that a checkpoint needs takes any
        self._do_newobj(None)

    def _do_inst(self, argument: str) -> None:
        args = tuple(self._since_mark())
        self._do_global(argument)
        self._make(self.pop(), args, called=True)

    def _do_obj(self, _: Any) -> None:
        callee, *args = self._since_mark()
        self._make(callee, tuple(args), called=True)

    def _make(self, callee: Any, args: Any, *, called: bool) -> None:
        if not isinstance(callee, Named) or not isinstance(args, tuple):
            raise Malformed("what is called is no function")
        if callee.name in self._rebuild:
            self._stack.append(self._rebuild[callee.name](*args))
        else:
            self._stack.append(Record(callee.name, args, called=called))

    def _do_build(self, _: Any) -> None:
        state = self.pop()
        target = self._top()
        if isinstance(target, Record):
            target.state = state

    def _do_binpersid(self, _: Any) -> None:
        self._stack.append(self._persistent(self.pop()))


def _checked_key(key: Any, depth: int = 0) -> Any:
    """The key, if hashing it is quick: tuples within tuples can be made to take for ever, or to overflow the stack."""
    if isinstance(key, tuple) and depth < _DEEPEST_KEY and len(key) < 100:
        for part in key:
            _checked_key(part, depth + 1)
    elif not isinstance(key, str | bytes | int | float | complex | Named | Record | None):
        raise Malformed("a key is neither text nor a number")
    return key
