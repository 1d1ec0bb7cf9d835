"""`mesh.catalog`: the catalogue as a product that every reader asks in SQL, and gets what they may know of."""

from hanse.names import ProductId

DOMAIN = "mesh"  # reserved: no team owns it
PRODUCT = ProductId(DOMAIN, "catalog")
