"""What keeps a backup from being made, or from being used."""

from __future__ import annotations

from hanse.errors import HanseError, Kind, code


class NoBackup(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "backup.missing",
        Kind.NOT_FOUND,
        "There is no backup in this folder",
        "A backup is whole once its manifest is written; this folder has none, or one that cannot be read.",
        "Name the folder that was given to hanse backup.",
    )


class BackupDamaged(HanseError):
    kind = Kind.FAILED
    code = code(
        "backup.damaged",
        Kind.FAILED,
        "A file of the backup is missing or not what was copied",
        "Each file is recorded with its checksum; one that differs must not be taken for data.",
        "Make the backup again, or use another copy of it.",
    )


class SourceDamaged(HanseError):
    kind = Kind.FAILED
    code = code(
        "backup.source-damaged",
        Kind.FAILED,
        "A file of the home is missing or not what was published",
        "A copy of a damaged file would be no backup; the former backup in the folder stays whole.",
        "Restore the file from the former backup, or build and publish the product again.",
    )


class WrongPassphrase(HanseError):
    kind = Kind.DENIED
    code = code(
        "backup.wrong-passphrase",
        Kind.DENIED,
        "The passphrase does not open the keys of the backup",
        "The keys of a home are sealed with the passphrase that was given when the backup was made.",
        "Give that passphrase. It is kept nowhere: without it the keys are lost.",
    )


class UnsafePassphrase(HanseError):
    kind = Kind.INVALID
    code = code(
        "backup.unsafe-passphrase",
        Kind.INVALID,
        "The passphrase cannot be used",
        "It guards the keys of a domain, so it has 12 characters or more and lies where only its owner reads it.",
        "Write a longer one; chmod 600 its file.",
    )


class HomeExists(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "restore.home-exists",
        Kind.CONFLICT,
        "There is a home already",
        "A restored home would take the place of data, grants and audit that nobody asked to lose.",
        "Restore into another project, or move the home that is there away first.",
    )
