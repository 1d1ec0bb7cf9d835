-- policy: columns-classified
-- severity: block
-- says: Every column of a table has a classification of mesh.yaml; what has none counts as the strictest.
select product, place, 'column ' || table_name || '.' || column_name || ' has no classification' as message
from catalog.columns
where depth = 1 and coalesce(classification, '') = ''
