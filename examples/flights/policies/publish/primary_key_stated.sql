-- policy: primary-key-stated
-- severity: warn
-- says: Every table states its primary key.
select product, place, 'table ' || table_name || ' has no primary key: add  primaryKey: true' as message
from catalog.tables
where len(primary_key) = 0
