-- policy: open-up-to-internal
-- severity: block
-- says: An open product has no column above internal.
select c.product, c.place,
       'column ' || c.table_name || '.' || c.column_name || ' is above internal, and the product is open' as message
from catalog.columns as c
join catalog.products as p on p.product = c.product
where p.access = 'open' and c.sensitive
