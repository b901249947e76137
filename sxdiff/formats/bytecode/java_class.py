"""Java class files: version, constant pool, class, fields, methods with their code, attributes.

Source: The Java Virtual Machine Specification, Java SE 21 edition, chapters 4 ("The class File
Format") and 6 ("The Java Virtual Machine Instruction Set"). What stands elsewhere as an index of
the constant pool is told by what the pool holds there, so that another order of the pool is one
difference. All numbers are big-endian.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    LimitError,
    Limits,
    Listing,
    Member,
    Row,
    Symbol,
    text_of,
)

MAGIC = b"\xca\xfe\xba\xbe"
MOST_BYTES = 64 << 20
DEEPEST = 32
"""Nesting of annotations and of attributes in attributes."""
HEADER = Record(
    "java_class",
    ">",
    (
        Field("magic", "4s", hexadecimal),
        Field("minor_version", "H"),
        Field("major_version", "H"),
        Field("constant_pool_count", "H", derived=True),
    ),
)
TAGS = {
    # JVMS 4.4: tag, name, fields: i an index, n a number; sizes
    1: ("Utf8", ""),
    3: ("Integer", ""),
    4: ("Float", ""),
    5: ("Long", ""),
    6: ("Double", ""),
    7: ("Class", "i"),
    8: ("String", "i"),
    9: ("Fieldref", "ii"),
    10: ("Methodref", "ii"),
    11: ("InterfaceMethodref", "ii"),
    12: ("NameAndType", "ii"),
    15: ("MethodHandle", "ki"),
    16: ("MethodType", "i"),
    17: ("Dynamic", "ni"),
    18: ("InvokeDynamic", "ni"),
    19: ("Module", "i"),
    20: ("Package", "i"),
}
WIDE = (5, 6)
"""Tags of constants that take two numbers of the pool."""
SIZES = {"i": 2, "n": 2, "k": 1}
ENTRIES = {tag: 1 + sum(SIZES[letter] for letter in letters) for tag, (_, letters) in TAGS.items()}
ENTRIES |= {1: 3, 3: 5, 4: 5, 5: 9, 6: 9}
"""Bytes of an entry of each tag; of Utf8 without its text."""
OPCODES = """
nop aconst_null iconst_m1 iconst_0 iconst_1 iconst_2 iconst_3 iconst_4 iconst_5 lconst_0 lconst_1
fconst_0 fconst_1 fconst_2 dconst_0 dconst_1 bipush sipush ldc ldc_w ldc2_w iload lload fload dload
aload iload_0 iload_1 iload_2 iload_3 lload_0 lload_1 lload_2 lload_3 fload_0 fload_1 fload_2
fload_3 dload_0 dload_1 dload_2 dload_3 aload_0 aload_1 aload_2 aload_3 iaload laload faload daload
aaload baload caload saload istore lstore fstore dstore astore istore_0 istore_1 istore_2 istore_3
lstore_0 lstore_1 lstore_2 lstore_3 fstore_0 fstore_1 fstore_2 fstore_3 dstore_0 dstore_1 dstore_2
dstore_3 astore_0 astore_1 astore_2 astore_3 iastore lastore fastore dastore aastore bastore castore
sastore pop pop2 dup dup_x1 dup_x2 dup2 dup2_x1 dup2_x2 swap iadd ladd fadd dadd isub lsub fsub dsub
imul lmul fmul dmul idiv ldiv fdiv ddiv irem lrem frem drem ineg lneg fneg dneg ishl lshl ishr lshr
iushr lushr iand land ior lor ixor lxor iinc i2l i2f i2d l2i l2f l2d f2i f2l f2d d2i d2l d2f i2b i2c
i2s lcmp fcmpl fcmpg dcmpl dcmpg ifeq ifne iflt ifge ifgt ifle if_icmpeq if_icmpne if_icmplt
if_icmpge if_icmpgt if_icmple if_acmpeq if_acmpne goto jsr ret tableswitch lookupswitch ireturn
lreturn freturn dreturn areturn return getstatic putstatic getfield putfield invokevirtual
invokespecial invokestatic invokeinterface invokedynamic new newarray anewarray arraylength athrow
checkcast instanceof monitorenter monitorexit wide multianewarray ifnull ifnonnull goto_w jsr_w
""".split()  # noqa: SIM905 - a table that reads like the specification's
OPERANDS = {
    # JVMS 6.5: c an index of the pool, d one of a single byte, b and h signed, u and v unsigned
    # numbers of one and two bytes, w a signed one of four
    **dict.fromkeys((*range(21, 26), *range(54, 59), 169, 188), "u"),
    **dict.fromkeys((*range(153, 169), 198, 199, 17), "h"),
    **dict.fromkeys((19, 20, *range(178, 185), 187, 189, 192, 193), "c"),
    **dict.fromkeys((200, 201), "w"),
    16: "b",
    18: "d",
    132: "ub",
    185: "cuu",
    186: "cv",
    197: "cu",
}
TABLESWITCH, LOOKUPSWITCH, WIDE_PREFIX, IINC, LDC, LDC_W = 170, 171, 196, 132, 18, 19


class Repeat(NamedTuple):
    """A table of an attribute: a count of so many bytes, then so many of `entry`."""

    size: int
    entry: "Layout"


Layout: TypeAlias = tuple["str | Repeat", ...]
"""Letters as in `OPERANDS`, and tables."""

ONE, CLASSES = ("c",), (Repeat(2, ("c",)),)
LAYOUTS: dict[str, Layout] = {
    # JVMS 4.7, in its order
    "ConstantValue": ONE,
    "Exceptions": CLASSES,
    "InnerClasses": (Repeat(2, ("cccv",)),),
    "EnclosingMethod": ("cc",),
    "Signature": ONE,
    "SourceFile": ONE,
    "LineNumberTable": (Repeat(2, ("vv",)),),
    "LocalVariableTable": (Repeat(2, ("vvccv",)),),
    "LocalVariableTypeTable": (Repeat(2, ("vvccv",)),),
    "BootstrapMethods": (Repeat(2, ("c", Repeat(2, ("c",)))),),
    "MethodParameters": (Repeat(1, ("cv",)),),
    "Module": (
        "cvc",
        Repeat(2, ("cvc",)),
        Repeat(2, ("cv", Repeat(2, ("c",)))),
        Repeat(2, ("cv", Repeat(2, ("c",)))),
        Repeat(2, ("c",)),
        Repeat(2, ("c", Repeat(2, ("c",)))),
    ),
    "ModulePackages": CLASSES,
    "ModuleMainClass": ONE,
    "NestHost": ONE,
    "NestMembers": CLASSES,
    "PermittedSubclasses": CLASSES,
    "StackMapTable": (Repeat(2, ("F",)),),
    "RuntimeVisibleAnnotations": (Repeat(2, ("A",)),),
    "RuntimeInvisibleAnnotations": (Repeat(2, ("A",)),),
    "RuntimeVisibleParameterAnnotations": (Repeat(1, (Repeat(2, ("A",)),)),),
    "RuntimeInvisibleParameterAnnotations": (Repeat(1, (Repeat(2, ("A",)),)),),
    "AnnotationDefault": ("E",),
    "Record": (Repeat(2, ("cc", "T")),),
}


class Constant(NamedTuple):
    """An entry of the pool, from its tag on."""

    at: int
    size: int
    tag: int
    raw: bytes


class JavaClass:
    """Header facts; pool, class, fields, methods and attributes as listings."""

    name = "java_class"

    def recognises(self, head: bytes) -> bool:
        """The magic number that fat Mach-O files have too, whose next number is their count of
        architectures: a small one, where a class has its major version (JVMS 4.1: from 45 on)."""
        return len(head) >= 10 and head.startswith(MAGIC) and 45 <= head[7] <= 127 and not head[6]

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads what is there
        """In the order of the file."""
        if blob.size > MOST_BYTES:
            raise LimitError(f"class of more than {MOST_BYTES} bytes")
        yield from HEADER.facts(blob, 0)
        yield from _Class(blob).parts()


class _Class:
    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._data = blob.read()
        self._pool: dict[int, Constant] = {}
        self._met: dict[str, int] = {}

    def parts(self) -> Iterator[Fact | Member]:
        at = self._read_pool()
        start = HEADER.size
        yield Member(
            "constants",
            self._blob.part(start, at - start),
            (start, at - start),
            "java_class.constants",
            inside=Listing("java_class.constants", lambda _: self._constants(start)),
            symbols=lambda: [
                Symbol(one.at - start, one.size, self._constant(number))
                for number, one in self._pool.items()
            ],
        )
        end = at + 8 + 2 * self._number(at + 6, 2)
        yield self._listed("class", "class", at, end, self._class_rows)
        at = end
        for what in ("field", "method"):
            yield self._count(what, at)
            count, at = self._number(at, 2), at + 2
            for _ in range(count):
                end = self._attributes_end(at + 6)
                name = self._utf8(at + 2)
                name += (":" if what == "field" else "") + self._utf8(at + 4)
                yield self._listed(what, name, at, end, self._member_rows)
                at = end
        yield self._count("attribute", at)
        count, at = self._number(at, 2), at + 2
        for _ in range(count):
            end = at + 6 + self._number(at + 2, 4)
            rows = partial(self._attribute, depth=0)
            yield self._listed("attribute", self._utf8(at), at, end, rows)
            at = end

    def _count(self, what: str, at: int) -> Fact:
        return Fact(f"java_class.{what}s_count", self._number(at, 2), (at, 2), derived=True)

    def _listed(
        self, kind: str, name: str, at: int, end: int, rows: Callable[[int], Iterator[Row]]
    ) -> Member:
        """A span whose `rows` count from the start of the file."""
        content = self._blob.part(at, end - at)
        met = self._met[name] = self._met.get(name, 0) + 1

        def shifted(_: Blob) -> Iterator[Row]:
            for row in rows(at):
                yield Row((row.at[0] - at, row.at[1]), row.text)

        return Member(
            name if met == 1 else f"{name} #{met}",
            content,
            (at, end - at),
            f"java_class.{kind}",
            inside=Listing(f"java_class.{kind}", shifted),
        )

    # --- constant pool (JVMS 4.4) ------------------------------------------------------------

    def _read_pool(self) -> int:
        """Fill the pool; the offset behind it."""
        count, at = self._number(8, 2), HEADER.size
        number = 1
        while number < count:
            tag = self._number(at, 1)
            size = ENTRIES.get(tag, 0)
            if not size:
                raise FormatError(f"no tag {tag} of a constant", at)
            if tag == 1:
                size += self._number(at + 1, 2)
            self._pool[number] = Constant(at, size, tag, self._bytes(at, size))
            number += 2 if tag in WIDE else 1
            at += size
        return at

    def _constants(self, start: int) -> Iterator[Row]:
        """Entries by what they say themselves; what they point at are places."""
        for number, one in self._pool.items():
            name, letters = TAGS[one.tag]
            refers = []
            text, at = name, 1
            for letter in letters:
                value = int.from_bytes(one.raw[at : at + SIZES[letter]], "big")
                target = self._pool.get(value)
                if letter != "i":
                    text += f" {value}"
                elif target:
                    refers.append(("constants", target.at - start))
                else:
                    text += f" #{value}"
                at += SIZES[letter]
            if not letters:
                text += f" {self._constant(number)}"
            yield Row((one.at - start, one.size), text, tuple(refers))

    def _constant(self, number: int, depth: int = 0) -> str:
        """The text of an entry, with those that it points at; `#number` where there is none."""
        one = self._pool.get(number)
        if one is None or depth > 4:
            return f"#{number}"
        if one.tag == 1:
            return repr(text_of(one.raw[3:]))
        if one.tag in (3, 5):
            return str(int.from_bytes(one.raw[1:], "big", signed=True))
        if one.tag in (4, 6):
            (value,) = struct.unpack(">f" if one.tag == 4 else ">d", one.raw[1:])
            if value != value:  # noqa: PLR0124 - not a number: many bytes mean it
                return f"nan {one.raw[1:].hex()}"
            return f"{value:.9g}f" if one.tag == 4 else repr(value)
        parts, at = [], 1
        for letter in TAGS[one.tag][1]:
            index = int.from_bytes(one.raw[at : at + SIZES[letter]], "big")
            parts.append(self._constant(index, depth + 1) if letter == "i" else str(index))
            at += SIZES[letter]
        return f"{TAGS[one.tag][0]} {'.'.join(parts)}"

    def _utf8(self, at: int) -> str:
        """The plain text of the Utf8 entry whose index lies at `at`."""
        number = self._number(at, 2)
        one = self._pool.get(number)
        return text_of(one.raw[3:]) if one and one.tag == 1 else f"#{number}"

    # --- class, fields and methods (JVMS 4.1, 4.5, 4.6) ----------------------------------------

    def _class_rows(self, at: int) -> Iterator[Row]:
        yield Row((at, 2), f"access_flags {self._number(at, 2):#x}")
        yield Row((at + 2, 2), f"this_class {self._constant(self._number(at + 2, 2))}")
        yield Row((at + 4, 2), f"super_class {self._constant(self._number(at + 4, 2))}")
        yield Row((at + 6, 2), "interfaces")
        for place in range(at + 8, at + 8 + 2 * self._number(at + 6, 2), 2):
            yield Row((place, 2), f"interface {self._constant(self._number(place, 2))}")

    def _member_rows(self, at: int) -> Iterator[Row]:
        yield Row((at, 2), f"access_flags {self._number(at, 2):#x}")
        yield Row((at + 2, 2), f"name {self._constant(self._number(at + 2, 2))}")
        yield Row((at + 4, 2), f"descriptor {self._constant(self._number(at + 4, 2))}")
        yield from self._attributes(at + 6, 0)

    def _attributes_end(self, at: int) -> int:
        count, at = self._number(at, 2), at + 2
        for _ in range(count):
            at += 6 + self._number(at + 2, 4)
        return at

    # --- attributes (JVMS 4.7) -----------------------------------------------------------------

    def _attributes(self, at: int, depth: int) -> Iterator[Row]:
        yield Row((at, 2), "attributes")
        count, at = self._number(at, 2), at + 2
        for _ in range(count):
            yield from self._attribute(at, depth=depth)
            at += 6 + self._number(at + 2, 4)

    def _attribute(self, at: int, depth: int) -> Iterator[Row]:
        """An attribute's rows: its name and size, then what it holds."""
        name, size = self._utf8(at), self._number(at + 2, 4)
        start, end = at + 6, at + 6 + size
        self._bytes(start, size)
        yield Row((at, 6), name)
        if depth > DEEPEST:
            yield Row((start, size), self._bytes(start, size).hex())
            return
        rows: Sequence[Row] = ()
        try:
            if name == "Code":
                rows = list(self._code(start, end, depth))
            elif name in LAYOUTS:
                rows = list(self._table(name, start))
        except FormatError:
            rows = ()
        told = sum(row.at[1] for row in rows)
        if rows and rows[0].at[0] == start and told == size:
            yield from rows
        elif size:
            yield Row((start, size), f"{name} {self._bytes(start, size).hex()}")

    def _table(self, name: str, at: int) -> Iterator[Row]:
        for item in LAYOUTS[name]:
            if isinstance(item, str):
                text, end = self._fields((item,), at, 0)
                yield Row((at, end - at), f"{name} {text}")
                at = end
                continue
            yield Row((at, item.size), f"{name} entries")
            count, at = self._number(at, item.size), at + item.size
            for _ in range(count):
                text, end = self._fields(item.entry, at, 0)
                yield Row((at, end - at), f"{name} {text}")
                at = end

    def _fields(self, layout: Layout, at: int, depth: int) -> tuple[str, int]:
        """The text of what is laid out so at `at`, and the offset behind it."""
        if depth > DEEPEST:
            raise LimitError(f"annotations nested more than {DEEPEST} deep", at)
        out = []
        for item in layout:
            if isinstance(item, Repeat):
                count, at = self._number(at, item.size), at + item.size
                texts = []
                for _ in range(count):
                    text, at = self._fields(item.entry, at, depth + 1)
                    texts.append(text)
                out.append(f"[{', '.join(texts)}]")
                continue
            for letter in item:
                text, at = self._field(letter, at, depth)
                out.append(text)
        return " ".join(out), at

    def _field(self, letter: str, at: int, depth: int) -> tuple[str, int]:
        if letter in "cd":
            size = 2 if letter == "c" else 1
            return self._constant(self._number(at, size)), at + size
        if letter in "bhw":
            size = {"b": 1, "h": 2, "w": 4}[letter]
            value = int.from_bytes(self._bytes(at, size), "big", signed=True)
            return f"{value:+d}", at + size
        if letter in "uv":
            size = 1 if letter == "u" else 2
            return str(self._number(at, size)), at + size
        if letter == "A":  # annotation (4.7.16): its type, then pairs of names and values
            return self._fields(("c", Repeat(2, ("cE",))), at, depth + 1)
        if letter == "E":
            return self._element(at, depth)
        if letter == "F":
            return self._frame(at)
        # T: attributes, of a record's component
        texts = [row.text for row in self._attributes(at, depth + 1)]
        return "; ".join(texts), self._attributes_end(at)

    def _element(self, at: int, depth: int) -> tuple[str, int]:
        """element_value (JVMS 4.7.16.1)."""
        tag = chr(self._number(at, 1))
        layout: Layout = ("c",)
        if tag == "e":
            layout = ("cc",)
        elif tag == "@":
            layout = ("A",)
        elif tag == "[":
            layout = (Repeat(2, ("E",)),)
        elif tag not in "BCDFIJSZsc":
            raise FormatError(f"no tag {tag!r} of an annotation's value", at)
        text, end = self._fields(layout, at + 1, depth + 1)
        return f"{tag} {text}", end

    def _frame(self, at: int) -> tuple[str, int]:
        """stack_map_frame (JVMS 4.7.4)."""
        kind = self._number(at, 1)
        text, at = f"frame {kind}", at + 1
        if kind in range(128, 247):
            raise FormatError(f"frame type {kind} is reserved", at)
        if kind >= 247:
            text, at = f"{text} +{self._number(at, 2)}", at + 2
        counts = [0]
        if 64 <= kind < 128 or kind == 247:
            counts = [1]
        elif 252 <= kind < 255:
            counts = [kind - 251]
        for position in range(2 if kind == 255 else 1):
            count = counts[0]
            if kind == 255:
                count, at = self._number(at, 2), at + 2
            types = []
            for _ in range(count):
                tag, at = self._number(at, 1), at + 1
                types.append(str(tag))
                if tag in (7, 8):
                    value = self._number(at, 2)
                    types[-1] += f" {self._constant(value) if tag == 7 else value}"
                    at += 2
            text += f" {'stack' if position else ''}[{', '.join(types)}]"
        return text, at

    # --- code (JVMS 4.7.3, chapter 6) ----------------------------------------------------------

    def _code(self, at: int, end: int, depth: int) -> Iterator[Row]:
        yield Row((at, 2), f"max_stack {self._number(at, 2)}")
        yield Row((at + 2, 2), f"max_locals {self._number(at + 2, 2)}")
        yield Row((at + 4, 4), "instructions")
        start, size = at + 8, self._number(at + 4, 4)
        self._bytes(start, size)
        at = start
        while at < start + size:
            text, behind = self._instruction(at, start)
            if behind > start + size:
                raise FormatError("instruction behind the code's end", at)
            yield Row((at, behind - at), text)
            at = behind
        yield Row((at, 2), "handlers")
        count, at = self._number(at, 2), at + 2
        for _ in range(count):
            text, behind = self._fields(("vvvc",), at, 0)
            yield Row((at, 8), f"handler {text}")
            at = behind
        if self._attributes_end(at) != end:
            raise FormatError("attributes of a code end elsewhere", at)
        yield from self._attributes(at, depth + 1)

    def _instruction(self, at: int, start: int) -> tuple[str, int]:
        opcode = self._number(at, 1)
        if opcode >= len(OPCODES):
            return f"opcode {opcode}", at + 1
        name = OPCODES[LDC if opcode == LDC_W else opcode]
        if opcode in (TABLESWITCH, LOOKUPSWITCH):
            return self._switch(name, opcode, at, start)
        if opcode == WIDE_PREFIX:
            inner = self._number(at + 1, 1)
            text, end = self._fields(("vh" if inner == IINC else "v",), at + 2, 0)
            return f"{name} {inner} {text}", end
        text, end = self._fields((OPERANDS.get(opcode, ""),), at + 1, 0)
        return f"{name} {text}".rstrip(), end

    def _switch(self, name: str, opcode: int, at: int, start: int) -> tuple[str, int]:
        """Operands from the next multiple of four bytes from the code's start on."""
        place = at + 1 + -(at + 1 - start) % 4
        padding = self._bytes(at + 1, place - at - 1).strip(b"\0").hex()
        if opcode == TABLESWITCH:
            low, high = (
                int.from_bytes(self._bytes(place + shift, 4), "big", signed=True)
                for shift in (4, 8)
            )
            count = 3 + high - low + 1
        else:
            count = 2 + 2 * self._number(place + 4, 4)
        if not 2 <= count <= len(self._data) // 4:
            raise FormatError("switch of an impossible size", at)
        numbers = struct.unpack(f">{count}i", self._bytes(place, 4 * count))
        return f"{name} {' '.join(map(str, numbers))} {padding}".rstrip(), place + 4 * count

    def _number(self, at: int, size: int) -> int:
        return int.from_bytes(self._bytes(at, size), "big")

    def _bytes(self, at: int, size: int) -> bytes:
        found = self._data[at : at + size]
        if len(found) < size:
            raise FormatError(f"class ends early: {size} bytes wanted", at)
        return found
