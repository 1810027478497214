"""The pickle machine: a stack, a memo and the instructions of all pickle protocols, on inert objects."""

from __future__ import annotations

from _compat_pickle import IMPORT_MAPPING
from collections.abc import Callable, Mapping
from typing import Any

from napari_segcam.budget import PICKLE_COPIED, PICKLE_TUPLE_KEYS
from napari_segcam.network.files.inert_objects import (
    DisallowedGlobal,
    InertName,
    InertObject,
    MalformedPickle,
    refuse_slow_key,
)

_ENTRY = 64  # bytes of an entry of a list or dict, about
_LONGEST_KEY = 16  # items of a tuple
_MARK = object()

_LITERALS = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_NEW: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}


class PickleMachine:
    """Carry out a pickle's instructions one by one; the arguments are those of ``read_pickle``.

    Raises:
        DisallowedGlobal: at the first name that is not allowed.
        MalformedPickle, ValueError, IndexError, KeyError, OverflowError: at instructions that make no sense.
    """

    def __init__(
        self,
        is_allowed: Callable[[str], bool],
        rebuild: Mapping[str, Callable[..., Any]],
        load_persistent: Callable[[Any], Any],
    ) -> None:
        self._is_allowed, self._rebuild, self._load_persistent = is_allowed, rebuild, load_persistent
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._tuple_keys = 0
        self._allowance = PICKLE_COPIED

    def do(self, opcode: str, argument: Any) -> None:
        """Carry out one instruction."""
        self._allowance += _ENTRY
        if opcode in _LITERALS:
            self._stack.append(argument)
            if isinstance(argument, str | bytes | bytearray):
                self._allowance += len(argument)  # that much may be copied once
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
                raise MalformedPickle(f"it uses the instruction {opcode}, which checkpoints do not have")
            instruction(argument)

    def pop(self) -> Any:
        """Take the top value off the stack."""
        value = self._stack.pop()
        if value is _MARK:
            raise MalformedPickle("a value is missing")
        return value

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise MalformedPickle("a value is missing")
        return self._stack[-1]

    def _since_mark(self) -> list[Any]:
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] is _MARK:
                values = self._stack[index + 1 :]
                del self._stack[index:]
                return values
        raise MalformedPickle("a mark is missing")

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
        self._stack.append(frozenset(map(self._checked_key, self._since_mark())))

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
            raise MalformedPickle("items are added to something that is not a set")
        target.update(map(self._checked_key, values))

    def _append(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, InertObject):
            target = target.items
        if not isinstance(target, list):
            raise MalformedPickle("items are appended to something that is not a list")
        target.extend(values)

    def _set(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, InertObject):
            target = target.entries
        if not isinstance(target, dict) or len(values) % 2:
            raise MalformedPickle("entries are set in something that is not a dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[self._checked_key(key)] = value

    def _do_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._stack.append(self._inert_name(module, name))

    def _do_stack_global(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise MalformedPickle("a name is not text")
        self._stack.append(self._inert_name(module, name))

    def _inert_name(self, module: str, name: str) -> InertName:
        full = f"{IMPORT_MAPPING.get(module, module)}.{name}"  # Python 2's names, as pickles up to protocol 2 have them
        if not self._is_allowed(full):
            raise DisallowedGlobal(full)
        return InertName(full)

    def _do_reduce(self, _: Any) -> None:
        args = self.pop()
        self._call(self.pop(), args, called=True)

    def _do_newobj(self, _: Any) -> None:
        args = self.pop()
        self._call(self.pop(), args, called=False)

    def _do_newobj_ex(self, _: Any) -> None:
        self.pop()  # keyword arguments, which no class in a checkpoint needs
        self._do_newobj(None)

    def _do_inst(self, argument: str) -> None:
        args = tuple(self._since_mark())
        self._do_global(argument)
        self._call(self.pop(), args, called=True)

    def _do_obj(self, _: Any) -> None:
        callee, *args = self._since_mark()
        self._call(callee, tuple(args), called=True)

    def _call(self, callee: Any, args: Any, *, called: bool) -> None:
        if not isinstance(callee, InertName) or not isinstance(args, tuple):
            raise MalformedPickle("something is called that is not a function")
        if callee.name in self._rebuild:
            self._count_cost(args)
            self._stack.append(self._rebuild[callee.name](*args))
        else:
            self._stack.append(InertObject(callee.name, args, called=called))

    def _do_build(self, _: Any) -> None:
        state = self.pop()
        target = self._top()
        if isinstance(target, InertObject):
            target.state = state

    def _do_binpersid(self, _: Any) -> None:
        self._stack.append(self._load_persistent(self.pop()))

    def _count_cost(self, args: tuple[Any, ...]) -> None:
        """Count what a call goes through or copies: the same argument can be used again and again.

        Raises:
            MalformedPickle: if it is too much.
        """
        self._allowance -= len(args) * _ENTRY
        for argument in args:
            if isinstance(argument, str | bytes | bytearray):
                self._allowance -= len(argument)
            elif isinstance(argument, list | tuple | dict | set | frozenset):
                self._allowance -= len(argument) * _ENTRY
        if self._allowance < 0:
            raise MalformedPickle("it copies the same things over and over")

    def _checked_key(self, key: Any) -> Any:
        """Return the key, if it is fast to hash and to compare however often it is used.

        Tuples and numbers of a million digits are hashed at each use. Tuples, and large or complex numbers, can be
        chosen to have the same hash.
        """
        if isinstance(key, tuple):
            self._tuple_keys += 1
            if self._tuple_keys > PICKLE_TUPLE_KEYS or len(key) > _LONGEST_KEY:
                raise MalformedPickle("it uses more or longer tuples as keys than checkpoints do")
            for item in key:
                refuse_slow_key(item)
        else:
            refuse_slow_key(key)
        return key
