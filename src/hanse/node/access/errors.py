"""What stands against a request or a grant."""

from __future__ import annotations

from collections.abc import Iterable

from hanse.errors import HanseError, Kind, code
from hanse.names import ProductId, nearest


class UnknownProduct(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "access.unknown-product",
        Kind.NOT_FOUND,
        "There is no such product to ask for",
        "No product of this name is published here, or none that you may know of: both look alike.",
        "hanse search lists the products that you may discover.",
    )

    def __init__(self, product: ProductId, visible: Iterable[ProductId] = ()) -> None:
        near = nearest(str(product), sorted(map(str, visible)))
        mend = f"did you mean {' or '.join(near)}?" if near else "hanse search lists them"
        super().__init__(f"there is no product {product}", mend=mend)


class UnknownAgreement(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "access.unknown-id",
        Kind.NOT_FOUND,
        "There is no such request or grant",
        "Requests are called like r-sales-7 and grants like g-sales-3; you see your own and those of your domain.",
        "hanse access list shows them with their ids.",
    )

    def __init__(self, id: str) -> None:
        super().__init__(f"there is no {id[:80]!r}", mend="hanse access list shows the ids")


class BadTerms(HanseError):
    kind = Kind.INVALID
    code = code(
        "access.bad-terms",
        Kind.INVALID,
        "The terms of a request or grant cannot be agreed on",
        "Terms name somebody who exists, columns that the product has, a purpose of mesh.yaml, a day to come, and why.",
        "Mend the term that is named.",
    )


class ClosedProduct(HanseError):
    kind = Kind.DENIED
    code = code(
        "access.closed",
        Kind.DENIED,
        "The product takes no requests",
        "Its owner set access to closed: it is granted unasked or not at all.",
        "Talk to the owner team.",
    )


class OwnRequest(HanseError):
    kind = Kind.DENIED
    code = code(
        "access.own-request",
        Kind.DENIED,
        "Nobody decides on an own request",
        "Who asks and who decides are two persons, also where one has the role for both.",
        "Let another owner or steward of the domain decide.",
    )


class AlreadyDecided(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "access.already-decided",
        Kind.CONFLICT,
        "The request or grant is no longer open to this",
        "A request is decided once, and a revoked grant does not come back.",
        "Ask anew: hanse access request PRODUCT …",
    )
