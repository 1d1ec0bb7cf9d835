-- policy: purpose-described
-- severity: block
-- says: Every product says in a sentence what it is for.
select product, place, 'no purpose: add  description: {purpose: …}' as message
from catalog.products
where length(coalesce(purpose, '')) < 10
