-- policy: columns-described
-- severity: block
-- says: Every table and every column of it is described.
select product, place, 'table ' || table_name || ' has no description' as message
from catalog.tables
where coalesce(description, '') = ''
union all
select product, place, 'column ' || table_name || '.' || column_name || ' has no description'
from catalog.columns
where depth = 1 and coalesce(description, '') = ''
