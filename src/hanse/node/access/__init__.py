"""Access to products: what can be agreed on, by whom, and how it is shown; `steps/access.py` composes them."""
