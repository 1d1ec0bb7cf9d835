"""A product's folder: its ODPS document, the contract of each port line, its build.yaml and the texts beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hanse.errors import Finding, Kind, Place, Severity, code, rejects
from hanse.names import RESERVED_PRODUCTS, PortLine, ProductId, is_name, nearest
from hanse.spec import baseline, read
from hanse.spec.build_file import build_file
from hanse.spec.checks.identity import NAME, slug
from hanse.spec.document import Document
from hanse.spec.mesh_file import RESERVED
from hanse.spec.model import NOTHING, BuildFile, Contract, OutputPort, Product, ProductFiles
from hanse.spec.schema.check import KIND
from hanse.spec.validate import bounded, file_findings, is_contract, is_product

MISSING = code(
    "project.missing-file", Kind.INVALID, "A file of the project is not there",
    "A project has fixed places for its files, so that one who knows one project finds everything in another.",
    "Add the file, or rename the one that the message names.",
)  # fmt: skip
FILE_NAME = code(
    "project.file-name", Kind.INVALID, "A file is not named or placed as its kind is",
    "A product's document is DOMAIN/PRODUCT/PRODUCT.odps.yaml, the contract of a port line PORT.vMAJOR.odcs.yaml.",
    "Rename or move the file as the message says.",
)  # fmt: skip
DOMAIN = code(
    "product.other-domain", Kind.INVALID, "A product says that it belongs to another domain",
    "The folder says whose a product is; a document that says otherwise would be found in two places.",
    "Write the folder's name, or move the product.",
)  # fmt: skip
NO_CONTRACT = code(
    "port.no-contract", Kind.INVALID, "An output port has no contract",
    "What a port promises is its contract; without one nothing can be checked or pinned.",
    "Add contractId with the id of the port's contract.",
)  # fmt: skip
OTHER_CONTRACT = code(
    "port.other-contract", Kind.INVALID, "A port and its contract do not name each other",
    "The contract of a port line is the file PORT.vMAJOR.odcs.yaml, and its id is the port's contractId.",
    "Write the contract's id as the port's contractId.",
)  # fmt: skip
OTHER_VERSION = code(
    "port.other-version", Kind.INVALID, "A port and its contract have different versions",
    "Consumers pin the port's version and read the contract's; there is one version of both.",
    "Write the same version in both files.",
)  # fmt: skip
SERVED_TWICE = code(
    "port.served-twice", Kind.INVALID, "Two versions of a port line are served at once",
    "One version of a port line (product, port, major) is served at a time; a breaking change gets a new major.",
    "Keep the newer one, or give one of them another major.",
)  # fmt: skip
SHARED = code(
    "port.shared-contract", Kind.INVALID, "Several ports have one contract",
    "Other tools write a port for each technology. Every product is readable over every protocol here, so they are one "
    "set of tables.",
    "Nothing to do.",
)  # fmt: skip
UNUSED = code(
    "project.unused-contract", Kind.INVALID, "No port has this contract",
    "A contract that no output port names promises nothing and is not published.",
    "Name its id as the contractId of an output port, or remove the file.",
)  # fmt: skip
TABLE_TWICE = code(
    "contract.table-twice", Kind.INVALID, "A table stands in two contracts of one major",
    "SQL names a table by product, major and table, so it stands once in a product's major.",
    "Rename one of them, or give it a customProperties entry 'address'.",
)  # fmt: skip

Load = Callable[[str], tuple[Document | None, list[Finding]]]


@dataclass(slots=True)
class Folder:
    """One product's folder while it is read; `whole` tells whether everything in it could be read."""

    id: ProductId
    path: str
    files: Mapping[str, str]  # by path below the folder
    load: Load  # by path in the project
    findings: list[Finding] = field(default_factory=list)
    whole: bool = True

    def read(self) -> ProductFiles | None:
        """The product with what lies beside it; None when its ODPS document cannot be read."""
        self._names()
        product = self._product()
        contracts = self._contracts()
        lines = self._lines(product, contracts) if product is not None else {}
        self._tables(lines)
        build = self._build(product, lines)
        self._baseline()
        return ProductFiles(product, lines, build, dict(self.files)) if product is not None else None

    def add(
        self, place: Place, slug: str, message: str, mend: str, severity: Severity = Severity.ERROR, why: str = ""
    ) -> None:
        self.findings.append(Finding.at(place, slug, message, why=why, mend=mend, severity=severity))

    def near(self, wanted: str, suffix: str | tuple[str, ...]) -> str:
        """What to do about a file that is not there: rename the one most like it, or add it."""
        others = [name for name in self.files if "/" not in name and name.endswith(suffix)]
        near = nearest(wanted, others) or (others if len(others) == 1 else [])
        return f"rename {self.path}/{near[0]} to {wanted}" if near else f"add {self.path}/{wanted}"

    def _names(self) -> None:
        place = Place(f"{self.path}/{min(self.files)}")
        if not is_name(self.id.name):
            self.add(place, NAME, f"folder {self.id.name[:80]!a} is no name for a product",
                     f"rename the folder to {slug(self.id.name)}")  # fmt: skip
        elif self.id.name in RESERVED_PRODUCTS:
            self.add(place, RESERVED, f"no product can be called {self.id.name!r}",
                     f"choose another, such as {self.id.name}_data")  # fmt: skip

    def _product(self) -> Product | None:
        wanted = f"{self.id.name}.odps.yaml"
        there = sorted(n for n in self.files if "/" not in n and n.endswith((".odps.yaml", ".odps.yml")))
        if wanted not in there:
            place = Place(f"{self.path}/{there[0] if there else wanted}")
            self.add(place, MISSING, f"{self.path} has no {wanted}", self.near(wanted, (".odps.yaml", ".odps.yml")))
        for other in there[1:] if wanted not in there else [n for n in there if n != wanted]:
            self.add(Place(f"{self.path}/{other}"), FILE_NAME, "a product has one document", f"keep {wanted} only")
        if not there:
            self.whole = False
            return None
        file = f"{self.path}/{wanted if wanted in there else there[0]}"
        document = self._document(file, "DataProduct")
        product = None
        if document is not None:
            product, findings = read.product(document, self.id, project=True)
            self.findings += bounded(findings)
            if product is not None:
                self._domain(document, product)
        self.whole &= product is not None
        return product

    def _document(self, file: str, kind: str) -> Document | None:
        document, findings = self.load(file)
        self.findings += findings
        if document is None:
            return None
        tree = document.tree
        if is_contract(tree) if kind == "DataContract" else is_product(tree):
            return document
        if is_contract(tree) or is_product(tree):
            suffix = ".odcs.yaml" if is_contract(tree) else ".odps.yaml"
            self.add(document.place("/kind"), KIND, f"the file is named as a {kind}, its kind is {tree['kind']}",
                     f"write kind: {kind}, or name it …{suffix}")  # fmt: skip
        else:
            self.findings += file_findings(self.files[file.removeprefix(f"{self.path}/")], file, project=True)
        return None

    def _domain(self, document: Document, product: Product) -> None:
        said = product.raw.get("domain")
        if said is not None and said != self.id.domain:
            self.add(document.place("/domain"), DOMAIN, f"domain is {str(said)[:63]!a}, the folder is {self.id.domain}",
                     f"write domain: {self.id.domain}")  # fmt: skip

    def _contracts(self) -> dict[str, Contract]:
        """The contracts that can be read, by file name."""
        found = {}
        for name in sorted(n for n in self.files if "/" not in n and n.endswith((".odcs.yaml", ".odcs.yml"))):
            file = f"{self.path}/{name}"
            document = self._document(file, "DataContract")
            contract = None
            if document is not None:
                contract, findings = read.contract(document, project=True)
                self.findings += bounded(findings)
            if contract is not None:
                found[name] = contract
            else:
                self.whole = False
        return found

    def _lines(self, product: Product, contracts: Mapping[str, Contract]) -> dict[PortLine, Contract]:
        document, _ = self.load(product.place.file)
        assert document is not None
        lines: dict[PortLine, Contract] = {}
        used: dict[str, OutputPort] = {}  # the file of a contract → the port whose line it is
        served: dict[PortLine, OutputPort] = {}
        # a port that has a file of its own name is served before those that share its contract
        ports = sorted(enumerate(product.outputs), key=lambda p: (self._wanted(p[1]) not in self.files, p[0]))
        for i, port in ports:
            at = f"/outputPorts/{i}"
            if port.version is None:
                self.whole = False  # told as version.syntax, or as a variable that is not resolved
                continue
            if port.contract_id is None:
                self.add(document.place(at), NO_CONTRACT, f"output port {port.name[:63]!a} has no contract",
                         "add contractId: ID")  # fmt: skip
                continue
            line = PortLine(self.id, sql_name(port), port.version.major)
            if line in served and served[line].version != port.version:
                self.add(
                    document.place(f"{at}/version"), SERVED_TWICE,
                    f"{line} is served as {served[line].version} and as {port.version}",
                    "keep the newer one, or give it another major",
                )  # fmt: skip
                continue
            name = self._file_of(port, contracts, document.place(f"{at}/contractId"), used)
            if name is None:
                continue
            contract = contracts[name]
            if contract.version is not None and contract.version != port.version:
                self.add(
                    document.place(f"{at}/version"), OTHER_VERSION,
                    f"port {port.name[:63]!a} has version {port.version}, its contract {self.path}/{name} has "
                    f"{contract.version}", f"write version: {contract.version}, or mend the contract's",
                )  # fmt: skip
            if name in used:
                self.add(
                    document.place(f"{at}/contractId"), SHARED,
                    f"port {port.name[:63]!a} has the contract of port {used[name].name[:63]!a}: one set of tables",
                    "nothing to do: every product is readable over every protocol", Severity.NOTE,
                )  # fmt: skip
                continue
            used[name], served[line], lines[line] = port, port, contract
        for name, contract in contracts.items():
            if name not in used and self.whole and not any(p.contract_id == contract.id for p in product.outputs):
                ids = [str(port.contract_id) for port in product.outputs]
                self.add(contract.place, UNUSED, f"no output port names contract {contract.id[:100]!r}",
                         f"write contractId: {contract.id[:100]} at its port" if ids else "add its output port",
                         Severity.WARNING)  # fmt: skip
        return lines

    def _wanted(self, port: OutputPort) -> str:
        return f"{sql_name(port)}.v{port.version.major}.odcs.yaml" if port.version is not None else ""

    def _file_of(
        self, port: OutputPort, contracts: Mapping[str, Contract], place: Place, used: Mapping[str, OutputPort]
    ) -> str | None:
        """The file with the port's contract; told are one that is missing, misnamed or another's."""
        wanted = self._wanted(port)
        if wanted in contracts:
            found = contracts[wanted]
            if found.id != port.contract_id:
                self.add(place, OTHER_CONTRACT,
                         f"contractId is {port.contract_id!r}, contract {wanted} has id {found.id[:100]!r}",
                         f"write contractId: {found.id[:100]}")  # fmt: skip
            return wanted
        if wanted in self.files:
            return None  # it cannot be read, which is told
        named = [name for name, contract in contracts.items() if contract.id == port.contract_id]
        if not named:
            self.add(place, MISSING, f"the contract of port {port.name[:63]!a} is missing: {self.path}/{wanted}",
                     self.near(wanted, ".odcs.yaml"))  # fmt: skip
            return None
        if named[0] not in used:
            self.add(Place(f"{self.path}/{named[0]}"), FILE_NAME,
                     f"the contract of port {port.name[:63]!a} is in {named[0]}", f"rename it to {wanted}")  # fmt: skip
        return named[0]

    def _tables(self, lines: Mapping[PortLine, Contract]) -> None:
        seen: dict[tuple[int, str], Place] = {}
        for line, contract in sorted(lines.items()):
            for table in contract.tables:
                first = seen.setdefault((line.major, table.name), table.place)
                if first.file != table.place.file:
                    self.add(table.place, TABLE_TWICE, f"table {table.name!r} of major {line.major} is in {first} too",
                             "rename one of them, or give it an address of its own")  # fmt: skip

    def _baseline(self) -> None:
        if baseline.FILE in self.files:
            document, findings = self.load(f"{self.path}/{baseline.FILE}")
            self.findings += findings
            if document is not None:
                self.findings += baseline.baseline(document)[1]

    def _build(self, product: Product | None, lines: Mapping[PortLine, Contract]) -> BuildFile | None:
        file = f"{self.path}/build.yaml"
        if "build.yaml" not in self.files:
            if product is not None and product.outputs and product.status not in ("proposed", "retired"):
                self.add(
                    product.place, MISSING, f"nothing makes the tables of {self.id}: {file} is missing",
                    self.near("build.yaml", "build.yml"),
                    Severity.NOTE if product.status == "draft" else Severity.ERROR,
                )  # fmt: skip
            return None
        document, findings = self.load(file)
        self.findings += findings
        if document is None or not self.whole or rejects(f for f in self.findings if f.code in _INCOMPLETE):
            self.whole = False
            return None
        build, findings = build_file(document, lines, self.files)
        self.findings += bounded(findings)
        self.whole &= build is not None
        return build


# without a port line's contract, build.yaml would seem to make tables that nothing promises
_INCOMPLETE = frozenset({MISSING, NO_CONTRACT, SERVED_TWICE})


def sql_name(port: OutputPort) -> str:
    """How files and addresses call a port: its `address`, else its name."""
    address = (port.custom or NOTHING).get("address")
    return address if isinstance(address, str) and is_name(address) else port.name
