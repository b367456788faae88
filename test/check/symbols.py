#!/usr/bin/env python3
"""The shared library exports what is public and nothing else.

Allowed: names in namespace ringlet, but not in a `detail` below it; vtables and type information of these; C functions
`ringlet_*`; and what other headers make visible themselves, weak: instantiations of the standard library, and the type
information of classes of fmt and spdlog (so that their exceptions can be caught on the other side).

usage: symbols.py LIBRARY
"""

import re
import subprocess
import sys

import source

_SPECIAL = (r"(vtable|VTT|typeinfo|typeinfo name|construction vtable|guard variable|reference temporary #\d+"
            r"|(non-)?virtual thunk|covariant return thunk|TLS (init|wrapper) function) (for|to) ")
PUBLIC = re.compile(rf"^({_SPECIAL})?(\[abi:\w+\] )?ringlet::")
# What a function template's name starts with, its return type, is of no interest: the name itself has to be public.
PUBLIC_TEMPLATE = re.compile(r"^[\w:<>,*&() \[\]]*? ringlet::[\w:~]+(\[abi:\w+\])?(<.*>)?\(")
DETAIL = re.compile(rf"^({_SPECIAL})?(\S+ )?ringlet::(\w+::)*detail::")
C_NAME = re.compile(r"^ringlet_\w+$")
STANDARD = re.compile(rf"^({_SPECIAL})?(\S.* )?(std|__gnu_cxx)::|^operator (new|delete)\b")
FOREIGN_TYPE = re.compile(r"^(vtable|typeinfo|typeinfo name) for (fmt|spdlog)::")
# The same for names that an older c++filt cannot read.
MANGLED_STANDARD = re.compile(r"^_Z(T[VTIS])?N?[KRO]*(St|S[absiod]|9__gnu_cxx)")
# Put there by the linker on some platforms.
LINKER = {"_init", "_fini", "__bss_start", "_edata", "_end", "__asan_globals_registered"}


def exported(library):
    """(kind, mangled, demangled) of each dynamic symbol that the library defines."""
    lines = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", library],
                           capture_output=True, text=True, check=True).stdout.splitlines()
    raw = [(line.split()[1], line.split()[0].split("@")[0]) for line in lines if line.strip()]
    names = subprocess.run(["c++filt"], input="\n".join(name for _, name in raw), capture_output=True, text=True,
                           check=True).stdout.splitlines()
    return [(kind, mangled, name) for (kind, mangled), name in zip(raw, names)]


def allowed(kind, mangled, name):
    if name in LINKER or C_NAME.match(mangled):
        return True
    if DETAIL.match(name):
        return False
    if PUBLIC.match(name) or (PUBLIC_TEMPLATE.match(name) and "detail::" not in name.split("(")[0]):
        return True
    return kind in "WVu" and bool(STANDARD.match(name) or FOREIGN_TYPE.match(name) or MANGLED_STANDARD.match(mangled))


def check(library):
    symbols = exported(library)
    problems = [f"exported, but not public: {name}  ({kind} {mangled})"
                for kind, mangled, name in symbols if not allowed(kind, mangled, name)]
    if not any(PUBLIC.match(name) for _, _, name in symbols):
        problems.append(f"{library} exports nothing of namespace ringlet")
    return problems


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(source.finish(check(sys.argv[1]), "symbols"))
