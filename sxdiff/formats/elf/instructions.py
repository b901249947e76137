"""Machine code as instructions, each with the one address that its operands make.

An address is often made by two instructions (`adrp` and `add`, `auipc` and `addi`, `lui` and
`addiu`, `addis` and `addi`, `movw` and `movt`): registers are followed in a straight line, so
that both tell the address and not its halves. That is a best effort: what is not understood
keeps its numbers.

Source: the assembly syntax that capstone 5 writes; the architectures' psABIs for the registers
that hold a table's address (`gp`, `r2`, `ebx`).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from sxdiff.model import FormatError

EM_SPARC, EM_386, EM_68K, EM_MIPS, EM_SPARC32PLUS = 2, 3, 4, 8, 18
EM_PPC, EM_PPC64, EM_S390, EM_ARM, EM_SPARCV9 = 20, 21, 22, 40, 43
EM_X86_64, EM_AARCH64, EM_RISCV = 62, 183, 243

PLACE = "\0"
"""Stands in an instruction's text for the address that its operands make."""

_NUMBER = r"(-?(?:0x[0-9a-f]+|\d+))"
_LAST = re.compile(rf"(?:^|[ ,#(]){_NUMBER}$")
_LAST_DOLLAR = re.compile(r"\$([0-9a-f]+)(?:\.[lw])?(?=$|\(pc\)|, )")
_RIP = re.compile(rf"rip(?: ([+-]) {_NUMBER})?")
_LONG = re.compile(r"(?<![-\w])0x[0-9a-f]{4,16}\b")
_BASED_X86 = re.compile(rf"\[(e[a-ds][xip]|e[bd][ip])( [+-] ){_NUMBER}\]")
_TWO = re.compile(rf"^([$%]?\w+), #?{_NUMBER}$")
_THREE = re.compile(rf"^([$%]?\w+), ([$%]?\w+), #?{_NUMBER}$")
_REGISTERS = re.compile(r"^(\$\w+), (\$\w+), (\$\w+)$")
_OFFSET = re.compile(rf"(?<![\w]){_NUMBER}\(([$%]?\w+)\)$")
_BRACKET = re.compile(rf"\[([%]?\w+)(?:(?:, #|\+){_NUMBER})?\]")
_FIRST = re.compile(r"^([$%]?\w+)")
_LITERAL = re.compile(rf"^(\w+), \[pc, #{_NUMBER}\]$")
_ADD_PC = re.compile(r"^(\w+), (?:pc, \1|(?:\1, )?pc|\[pc, \1\])$")
_KEPT = frozenset({"gp", "$gp", "r2", "r30"})
"""Registers that hold a table's address wherever they are known: restored when they are read."""
_S390_RELATIVE = re.compile(r"^(?:j|br|la?rl$|ex?rl$|.*rl$|c.*[ir]?j)")


class Instruction(NamedTuple):
    """`size` bytes at address `at`: their text, and where they make an address, the text with
    `PLACE` in its stead and the `target`.

    `relative` targets are counted from the instruction, so they hold in a file that is not
    linked; a `folded` text leaves out a number that only layout decides.
    """

    at: int
    size: int
    text: str
    template: str = ""
    target: int | None = None
    relative: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of one mode: `mode` is "x" code, "a" ARM, "t" Thumb, "d" data."""

    at: int
    data: bytes
    mode: str


@dataclass(frozen=True, slots=True)
class Image:
    """What of a file tells whether a number is an address.

    `holds` says whether an address lies in a section; `absolute` whether operands may hold
    whole addresses (the file is not relocated); `bases` are registers with known values.
    """

    machine: int
    width: int
    order: str
    holds: Callable[[int], bool]
    absolute: bool = False
    bases: Mapping[str, int] = field(default_factory=dict)
    got: frozenset[int] = frozenset()
    word: Callable[[int], int | None] = lambda _at: None


Step: TypeAlias = "Callable[[_Follower, int, int, str, str], Instruction]"


def knows(machine: int) -> bool:
    """Whether code of this e_machine can be disassembled."""
    return machine in _STEPS


def instructions(image: Image, stretches: Sequence[Stretch], start: int) -> list[Instruction]:
    """The instructions of one function that starts at address `start`, in order.

    Bytes that are no instruction are told as `.byte`. Raises `FormatError` where the
    disassembler fails.
    """
    follower = _Follower(image, start)
    for stretch in stretches:
        if stretch.mode == "d":
            follower.data(stretch)
            continue
        follower.thumb = stretch.mode == "t"
        step = _STEPS[image.machine]
        for at, size, mnemonic, operands in _decoded(image, stretch):
            if mnemonic == ".byte":
                raw = stretch.data[at - stretch.at : at - stretch.at + size]
                follower.out.append(Instruction(at, size, f".byte {raw.hex()}"))
                continue
            follower.out.append(step(follower, at, size, mnemonic, operands))
            follower.forget(mnemonic, operands)
    return follower.finished()


def _decoded(image: Image, stretch: Stretch) -> Iterator[tuple[int, int, str, str]]:
    import capstone  # noqa: PLC0415 - start-up time: only differing code needs it

    try:
        engine = _engine(image.machine, image.width, image.order, stretch.mode)
        yield from engine.disasm_lite(stretch.data, stretch.at)
    except (capstone.CsError, UnicodeDecodeError) as error:
        raise FormatError(f"capstone: {error}") from error


@cache
def _engine(machine: int, width: int, order: str, mode: str) -> Any:
    import capstone  # noqa: PLC0415 - start-up time: only differing code needs it

    wide = width == 64
    big = capstone.CS_MODE_BIG_ENDIAN
    either = capstone.CS_MODE_LITTLE_ENDIAN if order == "<" else big
    thumb = capstone.CS_MODE_THUMB if mode == "t" else capstone.CS_MODE_ARM
    mips = capstone.CS_MODE_MIPS64 if wide else capstone.CS_MODE_MIPS32
    riscv = capstone.CS_MODE_RISCV64 if wide else capstone.CS_MODE_RISCV32
    modes = {
        EM_386: (capstone.CS_ARCH_X86, capstone.CS_MODE_32),
        # x32 is 64-bit code in a 32-bit file
        EM_X86_64: (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
        EM_ARM: (capstone.CS_ARCH_ARM, thumb | either),
        EM_AARCH64: (capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN),
        EM_RISCV: (capstone.CS_ARCH_RISCV, riscv | capstone.CS_MODE_RISCVC),
        EM_PPC: (capstone.CS_ARCH_PPC, capstone.CS_MODE_32 | either),
        EM_PPC64: (capstone.CS_ARCH_PPC, capstone.CS_MODE_64 | either),
        EM_S390: (capstone.CS_ARCH_SYSZ, big),
        EM_MIPS: (capstone.CS_ARCH_MIPS, mips | either),
        EM_SPARC: (capstone.CS_ARCH_SPARC, big),
        EM_SPARC32PLUS: (capstone.CS_ARCH_SPARC, big | capstone.CS_MODE_V9),
        EM_SPARCV9: (capstone.CS_ARCH_SPARC, big | capstone.CS_MODE_V9),
        EM_68K: (capstone.CS_ARCH_M68K, big | capstone.CS_MODE_M68K_040),
    }
    engine = capstone.Cs(*modes[machine])
    engine.skipdata = True
    return engine


class _Follower:
    """The values that registers are known to hold, and the rows so far."""

    def __init__(self, image: Image, start: int) -> None:
        self.image = image
        self.start = start
        self.thumb = False
        self.out: list[Instruction] = []
        self.mask = (1 << image.width) - 1
        # register: its value, and the row that began to make it
        self.known: dict[str, tuple[int, int | None]] = {
            name: (value, None) for name, value in image.bases.items()
        }
        if image.machine == EM_PPC64 and image.bases:
            self.known["r12"] = (start, None)  # ELFv2: a function's entry is called through it
        self.set: str | None = None
        self.words: dict[int, int] = {}

    def finished(self) -> list[Instruction]:
        """The rows, words of literals told by what they were used for."""
        if not self.words:
            return self.out
        return [
            row._replace(template=f".word {PLACE}", target=self.words[row.at])
            if row.at in self.words and row.text.startswith(".word")
            else row
            for row in self.out
        ]

    def forget(self, mnemonic: str, operands: str) -> None:
        """A register that was written to holds nothing known, unless it was just set."""
        just, self.set = self.set, None
        if not self.known or (
            self.image.machine == EM_386 and mnemonic not in ("mov", "lea", "xor")
        ):
            return
        if mnemonic.startswith(("st", "s", "cmp", "cb", "tb", "b")) and not (
            mnemonic.startswith(("sub", "sll", "sr", "slt", "bic", "bfi", "sbfx", "sxt"))
        ):
            return
        found = _FIRST.match(operands)
        if found and found[1] != just and found[1] not in _KEPT:
            self.known.pop(found[1], None)

    def learn(self, register: str, value: int, owner: int | None) -> None:
        """What a register holds from here on."""
        self.known[register] = (value & self.mask, owner)
        self.set = register

    def half(
        self, at: int, size: int, text: str, template: str, register: str, value: int
    ) -> Instruction:
        """The first instruction of two: its target is set by the second."""
        self.learn(register, value, len(self.out))
        return Instruction(at, size, text, template, folded=text.endswith(", page"))

    def use(
        self, at: int, size: int, text: str, template: str, base: str, offset: int
    ) -> Instruction:
        """The second of two, where `base` holds something known."""
        known = self.known.get(base)
        if known is None:
            return Instruction(at, size, text)  # the number is no part of an address
        target = (known[0] + offset) & self.mask
        # a weak symbol that nothing defines lies at 0
        if target and not self.image.holds(target):
            return Instruction(at, size, text, template)
        self.own(known[1], target)
        return Instruction(at, size, text, template, target)

    def own(self, owner: int | None, target: int) -> None:
        """Tell the first half what both make, unless it was told before."""
        if owner is not None and self.out[owner].target is None and self.out[owner].template:
            self.out[owner] = self.out[owner]._replace(target=target)

    def branch(
        self, at: int, size: int, mnemonic: str, operands: str, base: int = 0
    ) -> Instruction:
        """A jump or an address told by the last number."""
        found = _LAST.search(operands)
        text = f"{mnemonic} {operands}"
        if not found:
            return Instruction(at, size, text)
        template = f"{mnemonic} {operands[: found.start(1)]}{PLACE}"
        target = (int(found[1], 0) + base) & self.mask
        return Instruction(at, size, text, template, target, relative=True)

    def data(self, stretch: Stretch) -> None:
        """Words between the code: literals and tables."""
        order = "little" if self.image.order == "<" else "big"
        at, end = stretch.at, stretch.at + len(stretch.data)
        while at < end:
            size = min(4 - at % 4, end - at)
            raw = stretch.data[at - stretch.at : at - stretch.at + size]
            if size < 4:
                self.out.append(Instruction(at, size, f".byte {raw.hex()}"))
            else:
                value = int.from_bytes(raw, order)  # type: ignore[arg-type]  # one of two literals
                text = f".word {value:#x}"
                if self.image.absolute and self.image.holds(value):
                    self.out.append(Instruction(at, 4, text, f".word {PLACE}", value))
                else:
                    self.out.append(Instruction(at, 4, text, f".word {PLACE}"))
            at += size


def _plain(at: int, size: int, mnemonic: str, operands: str) -> Instruction:
    return Instruction(at, size, f"{mnemonic} {operands}".rstrip())


def _cut(text: str, found: "re.Match[str]", group: int) -> str:
    return text[: found.start(group)] + PLACE + text[found.end(group) :]


def _x86(self: _Follower, at: int, size: int, mnemonic: str, operands: str) -> Instruction:
    text = f"{mnemonic} {operands}".rstrip()
    image = self.image
    if operands.isalnum() and operands[0].isdigit():
        word = mnemonic.rpartition(" ")[2]
        if word[0] == "j" or word.startswith(("call", "loop", "xbegin")):
            return Instruction(
                at, size, text, f"{mnemonic} {PLACE}", int(operands, 0), relative=True
            )
    if "rip" in operands and (found := _RIP.search(operands)):
        offset = int(found[2] or "0", 0)
        target = at + size + (offset if found[1] != "-" else -offset)
        whole = f"{mnemonic} {operands[: found.start()]}{PLACE}{operands[found.end() :]}"
        return Instruction(at, size, text, whole, target & self.mask, relative=True)
    if image.machine == EM_386:
        if mnemonic == "add" and self.out and (found := _TWO.match(operands)):
            # `call thunk; add ebx, N` makes the address of the GOT
            value = (at + int(found[2], 0)) & self.mask
            if self.out[-1].text.startswith("call ") and value in image.got:
                self.learn(found[1], value, None)
                return Instruction(at, size, f"add {found[1]}, GOT", folded=True)
        if found := _BASED_X86.search(operands):
            known = self.known.get(found[1])
            if known:
                sign = -1 if "-" in found[2] else 1
                target = (known[0] + sign * int(found[3], 0)) & self.mask
                if image.holds(target):
                    whole = f"{operands[: found.start(2)]} + {PLACE}{operands[found.end(3) :]}"
                    return Instruction(at, size, text, f"{mnemonic} {whole}", target)
    if image.absolute and "0x" in operands:
        for found in _LONG.finditer(operands):
            if image.holds(int(found[0], 16)):
                whole = f"{mnemonic} {_cut(operands, found, 0)}"
                return Instruction(at, size, text, whole, int(found[0], 16))
    return Instruction(at, size, text)


_AARCH64_RELATIVE = frozenset({"b", "bl", "cbz", "cbnz", "tbz", "tbnz", "adr"})
_AARCH64_LITERAL = re.compile(r"^\w+, #(?:0x[0-9a-f]+|\d+)$")


def _aarch64(self: _Follower, at: int, size: int, mnemonic: str, operands: str) -> Instruction:
    text = f"{mnemonic} {operands}".rstrip()
    if mnemonic in _AARCH64_RELATIVE or mnemonic.startswith(("b.", "bc.")):
        return self.branch(at, size, mnemonic, operands)
    if mnemonic == "adrp" and (found := _TWO.match(operands)):
        page = f"adrp {found[1]}, page"
        return self.half(at, size, page, f"adrp {found[1]}, {PLACE}", found[1], int(found[2], 0))
    if mnemonic.startswith(("ldr", "prfm")) and _AARCH64_LITERAL.match(operands):
        return self.branch(at, size, mnemonic, operands)
    if mnemonic == "add" and (found := _THREE.match(operands)):
        whole = f"{mnemonic} {_cut(operands, found, 3)}"
        return self.use(at, size, text, whole, found[2], int(found[3], 0))
    if mnemonic.startswith(("ld", "st", "prfm")) and (found := _BRACKET.search(operands)):
        whole = f"{mnemonic} {operands[: found.end(1)]}, {PLACE}{operands[found.end() - 1 :]}"
        return self.use(at, size, text, whole, found[1], int(found[2] or "0", 0))
    return Instruction(at, size, text)


_ARM_CALLS = re.compile(
    r"^(?:cbn?z|bl?x?(?:eq|ne|[ch]s|cc|lo|mi|pl|v[sc]|hi|ls|ge|lt|gt|le|al)?)(?:\.[wn])?$"
)


def _arm(self: _Follower, at: int, size: int, mnemonic: str, operands: str) -> Instruction:
    text = f"{mnemonic} {operands}".rstrip()
    here = at + (4 if self.thumb else 8)
    if "#" in operands and _ARM_CALLS.match(mnemonic):
        return self.branch(at, size, mnemonic, operands)
    if mnemonic.startswith("ldr") and (found := _LITERAL.match(operands)):
        place = (here & ~3) + int(found[2], 0)
        value = self.image.word(place)
        if value is not None:
            self.learn(found[1], value, place)
        return Instruction(at, size, text, f"{mnemonic} {found[1]}, [{PLACE}]", place, True)
    if found := _ADD_PC.match(operands):
        known = self.known.get(found[1])
        # the literal lies behind: its word is told by what it makes, not by the distance
        if known and known[1] is not None:
            target = (known[0] + here) & self.mask
            if self.image.holds(target):
                self.words[known[1]] = target
                return Instruction(at, size, text, f"{text} ({PLACE})", target)
    if mnemonic.startswith(("movw", "movt")) and (found := _TWO.match(operands)):
        whole = f"{mnemonic} {found[1]}, {PLACE}"
        if mnemonic.startswith("movt"):
            if not self.image.absolute:
                return Instruction(at, size, text, whole)
            return self.use(at, size, text, whole, found[1], int(found[2], 0) << 16)
        return self.half(at, size, text, whole, found[1], int(found[2], 0))
    return Instruction(at, size, text)


def _riscv(self: _Follower, at: int, size: int, mnemonic: str, operands: str) -> Instruction:
    text = f"{mnemonic} {operands}".rstrip()
    short = mnemonic.removeprefix("c.")
    if (short[0] == "b" and short != "bset") or short in ("j", "jal"):
        return self.branch(at, size, mnemonic, operands, base=at)
    if short in ("auipc", "lui") and (found := _TWO.match(operands)):
        value = int(found[2], 0) << 12
        value -= (value & 1 << 31) << 1
        whole = f"{mnemonic} {found[1]}, {PLACE}"
        if short == "auipc":
            page = f"auipc {found[1]}, page"
            return self.half(at, size, page, whole, found[1], at + value)
        if self.image.absolute:
            return self.half(at, size, text, whole, found[1], value)
        return Instruction(at, size, text)
    if short in ("addi", "addiw", "jalr") and (found := _THREE.match(operands)):
        whole = f"{mnemonic} {_cut(operands, found, 3)}"
        return self.use(at, size, text, whole, found[2], int(found[3], 0))
    if found := _OFFSET.search(operands):
        whole = f"{mnemonic} {_cut(operands, found, 1)}"
        return self.use(at, size, text, whole, found[2], int(found[1], 0))
    return Instruction(at, size, text)


def _ppc(self: _Follower, at: int, size: int, mnemonic: str, operands: str) -> Instruction:
    text = f"{mnemonic} {operands}".rstrip()
    if mnemonic[0] == "b" and "0x" in operands:
        return self.branch(at, size, mnemonic, operands)
    if mnemonic == "mflr" and self.out:
        # `bcl 20,31,.+4; mflr r30` gives the address of the second
        for row in self.out[-8:]:
            if row.text.startswith("bdnzl ") and row.target == row.at + 4:
                self.learn(operands, row.at + 4, None)
        return Instruction(at, size, text)
    if mnemonic == "lis" and (found := _TWO.match(operands)):
        whole = f"{mnemonic} {_cut(operands, found, 2)}"
        if self.image.absolute:
            return self.half(at, size, text, whole, found[1], int(found[2], 0) << 16)
        return Instruction(at, size, text)
    if mnemonic in ("addis", "addi") and (found := _THREE.match(operands)):
        known = self.known.get(found[2])
        if known is None:
            return Instruction(at, size, text)
        whole = f"{mnemonic} {_cut(operands, found, 3)}"
        if mnemonic == "addis":
            value = known[0] + (int(found[3], 0) << 16)
            return self.half(at, size, text, whole, found[1], value)
        if found[1] in ("r2", "r30"):  # the tables' base, which lies in no section
            self.learn(found[1], known[0] + int(found[3], 0), None)
            if known[1] is not None:
                first = self.out[known[1]]
                said = first.template.replace(PLACE, "TOC") or first.text
                self.out[known[1]] = first._replace(text=said, template="", folded=True)
            return Instruction(at, size, f"{mnemonic} {found[1]}, {found[2]}, TOC", folded=True)
        return self.use(at, size, text, whole, found[2], int(found[3], 0))
    if found := _OFFSET.search(operands):
        whole = f"{mnemonic} {_cut(operands, found, 1)}"
        return self.use(at, size, text, whole, found[2], int(found[1], 0))
    return Instruction(at, size, text)


def _s390(self: _Follower, at: int, size: int, mnemonic: str, operands: str) -> Instruction:
    if "0x" in operands and _S390_RELATIVE.match(mnemonic):
        return self.branch(at, size, mnemonic, operands)
    return _plain(at, size, mnemonic, operands)


def _mips(self: _Follower, at: int, size: int, mnemonic: str, operands: str) -> Instruction:
    text = f"{mnemonic} {operands}".rstrip()
    if mnemonic[0] in "bj" and "0x" in operands:
        return self.branch(at, size, mnemonic, operands)
    if mnemonic == "lui" and (found := _TWO.match(operands)):
        value = int(found[2], 0) << 16
        value -= (value & 1 << 31) << 1
        if found[1] == "$gp" or self.image.absolute:
            whole = f"{mnemonic} {_cut(operands, found, 2)}"
            return self.half(at, size, text, whole, found[1], value)
        return Instruction(at, size, text)
    if mnemonic in ("addu", "daddu") and (found := _REGISTERS.match(operands)):
        one, two = self.known.get(found[2]), found[3] == "$t9"
        if one and two:  # the ABI: $t9 holds the function's own address
            self.learn(found[1], one[0] + self.start, one[1])
        return Instruction(at, size, text)
    if mnemonic in ("addiu", "daddiu") and (found := _THREE.match(operands)):
        known = self.known.get(found[2])
        whole = f"{mnemonic} {_cut(operands, found, 3)}"
        if known and found[1] == "$gp":
            self.learn("$gp", known[0] + int(found[3], 0), None)
            if known[1] is not None:
                first = self.out[known[1]]
                said = first.template.replace(PLACE, "gp") or first.text
                self.out[known[1]] = first._replace(text=said, template="", folded=True)
            return Instruction(at, size, whole.replace(PLACE, "gp"), folded=True)
        return self.use(at, size, text, whole, found[2], int(found[3], 0))
    if found := _OFFSET.search(operands):
        whole = f"{mnemonic} {_cut(operands, found, 1)}"
        row = self.use(at, size, text, whole, found[2], int(found[1], 0))
        if found[2] == "$gp" and mnemonic in ("lw", "ld") and row.target is not None:
            # a slot may hold the page of what the next instruction adds to
            page = self.image.word(row.target)
            if page is not None:
                self.learn(operands.partition(",")[0], page, None)
        return row
    return Instruction(at, size, text)


def _sparc(self: _Follower, at: int, size: int, mnemonic: str, operands: str) -> Instruction:
    text = f"{mnemonic} {operands}".rstrip()
    if (mnemonic[0] == "b" or mnemonic.startswith(("call", "fb"))) and "0x" in operands:
        return self.branch(at, size, mnemonic, operands)
    if mnemonic == "sethi" and self.image.absolute:
        value, _, register = operands.partition(", ")
        if value[:1].isdigit():
            whole = f"sethi {PLACE}, {register}"
            return self.half(at, size, text, whole, register, int(value, 0) << 10)
    if mnemonic in ("or", "add") and (found := _SPARC_LOW.match(operands)):
        whole = f"{mnemonic} {_cut(operands, found, 2)}"
        return self.use(at, size, text, whole, found[1], int(found[2], 0))
    if found := _BRACKET.search(operands):
        whole = f"{mnemonic} {operands[: found.end(1)]}+{PLACE}{operands[found.end() - 1 :]}"
        return self.use(at, size, text, whole, found[1], int(found[2] or "0", 0))
    return Instruction(at, size, text)


_SPARC_LOW = re.compile(rf"^(%\w+), {_NUMBER}, %\w+$")


def _m68k(self: _Follower, at: int, size: int, mnemonic: str, operands: str) -> Instruction:
    text = f"{mnemonic} {operands}".rstrip()
    for found in _LAST_DOLLAR.finditer(operands):
        target = int(found[1], 16)
        relative = operands.startswith("(pc)", found.end()) or mnemonic[0] == "b"
        if relative or (self.image.absolute and self.image.holds(target)):
            whole = f"{mnemonic} {operands[: found.start()]}{PLACE}{operands[found.end() :]}"
            return Instruction(at, size, text, whole, target, relative)
    return Instruction(at, size, text)


_STEPS: Mapping[int, Step] = {
    EM_386: _x86,
    EM_X86_64: _x86,
    EM_ARM: _arm,
    EM_AARCH64: _aarch64,
    EM_RISCV: _riscv,
    EM_PPC: _ppc,
    EM_PPC64: _ppc,
    EM_S390: _s390,
    EM_MIPS: _mips,
    EM_SPARC: _sparc,
    EM_SPARC32PLUS: _sparc,
    EM_SPARCV9: _sparc,
    EM_68K: _m68k,
}
