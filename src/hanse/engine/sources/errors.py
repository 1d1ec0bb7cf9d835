"""What can stand between a build and a source. A scheduler tries again after `SourceUnreachable` and no other."""

from __future__ import annotations

from hanse.errors import HanseError, Kind, code
from hanse.spec.checks.transforms import NO_CONNECTION


class SourceMissing(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "build.source-missing",
        Kind.NOT_FOUND,
        "A source's file is not there",
        "Relative paths are resolved on the node, below the roots that its operator listed.",
        "Mend the path in build.yaml, or put the file there.",
    )


class SourceOutsideRoot(HanseError):
    kind = Kind.DENIED
    code = code(
        "build.source-outside-root",
        Kind.DENIED,
        "A source lies outside the roots that the operator listed",
        "A build reads files only below those folders; links are followed only while they stay inside.",
        "Move the file, or have the operator add its folder to `roots` in .hanse/node.yaml.",
    )


class SourceUnreadable(HanseError):
    kind = Kind.INVALID
    code = code(
        "build.source-unreadable",
        Kind.INVALID,
        "A source's file cannot be read as what it is said to be",
        "The file is damaged or of another format, or its rows do not match what was found at its start.",
        "Mend the file, or state its format and options in build.yaml.",
    )


class SourceBadOption(HanseError):
    kind = Kind.INVALID
    code = code(
        "build.source-option",
        Kind.INVALID,
        "A source is described with something its kind does not have",
        "Each kind of source has its own options.",
        "`hanse explain build.source-option`; the message names the options that exist.",
    )


class SourceUnreachable(HanseError):
    kind = Kind.UNAVAILABLE
    code = code(
        "source.unreachable",
        Kind.UNAVAILABLE,
        "A source is down, too slow, or broke off while it was read",
        "Nothing of what was read is kept: the table stays as it was, and a schedule tries again by itself.",
        "Look whether the source is up: hanse connections test NAME; then run the step again.",
    )


class SourceRefused(HanseError):
    kind = Kind.DENIED
    code = code(
        "source.refused",
        Kind.DENIED,
        "A source does not let the node in",
        "The user or password is wrong, or that user may not read what the build reads.",
        "Set the right values where the node runs, or have the source's owner grant the right to read.",
    )


class SourceChanged(HanseError):
    kind = Kind.INVALID
    code = code(
        "source.changed",
        Kind.INVALID,
        "A source no longer has what a build needs of it",
        "A column is gone or of another type; data read around it would look whole and not be.",
        "Mend the transform or the source's `columns` in build.yaml, or have the source's owner put it back.",
    )


class SourceAbsent(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "source.missing",
        Kind.NOT_FOUND,
        "A source has no such table or object",
        "The source answers and does not know the name, or that user may not see it.",
        "Mend the name in build.yaml; the message names the nearest that exist.",
    )


class SourceChecksum(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "source.checksum",
        Kind.CONFLICT,
        "A fetched file is not the one whose checksum is stated",
        "A file from the network is taken only when it is, byte for byte, what its checksum says.",
        "Look at the file: when the new one is right, state its sha256 in build.yaml.",
    )


class SourceTooLarge(HanseError):
    kind = Kind.INVALID
    code = code(
        "source.too-large",
        Kind.INVALID,
        "A source gave more than a build may take",
        "What is read from elsewhere is bounded in bytes, so that no source can fill the node's disk or memory.",
        "Read fewer columns or rows, or have the operator raise limits.source_mib in .hanse/node.yaml.",
    )


class NotListed(HanseError):
    kind = Kind.DENIED
    code = code(
        "source.not-listed",
        Kind.DENIED,
        "A source lies at an address that the operator did not list",
        "Only the hosts and TCP ports under `egress` are reached. A name is looked up once and checked again as an "
        "address: loopback, private and link-local addresses count only when they are listed themselves.",
        "The operator adds the address to `egress` in .hanse/node.yaml; the message has the line.",
    )


class NoConnection(HanseError):
    kind = Kind.NOT_FOUND
    code = NO_CONNECTION


class BadConnection(HanseError):
    kind = Kind.INVALID
    code = code(
        "source.bad-connection",
        Kind.INVALID,
        "A connection cannot be used as it is written",
        "Each kind of connection has its own keys.",
        "Mend the named key in domain.yaml.",
    )


class VariableMissing(HanseError):
    kind = Kind.INVALID
    code = code(
        "source.variable-missing",
        Kind.INVALID,
        "A ${VARIABLE} has no value here",
        "Values come from the node's environment or from .hanse/variables.ini (mode 600), so that no file that is "
        "committed or sent holds them.",
        "Export HANSE_VARIABLE_NAME where the node runs, or write NAME = … into .hanse/variables.ini.",
    )


class UnsafeVariables(HanseError):
    kind = Kind.INVALID
    code = code(
        "source.unsafe-variables",
        Kind.INVALID,
        "The file of variables can be read by others, or cannot be read at all",
        "Secrets come from the environment or from a file that only its owner can read (mode 600).",
        "chmod 600 .hanse/variables.ini, and write [DOMAIN] above lines of NAME = value.",
    )


class MissingPart(HanseError):
    kind = Kind.INVALID
    code = code(
        "source.missing-extra",
        Kind.INVALID,
        "A part that this kind of source needs is not installed",
        "Heavy parts are extras, so that the core stays small; nothing is downloaded at run time.",
        "Install the named extra.",
    )
