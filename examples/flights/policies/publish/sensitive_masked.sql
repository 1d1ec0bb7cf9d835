-- policy: sensitive-masked
-- severity: block
-- says: Every column above internal has a rule in masks.yaml, so that readers who may not see it know what they get.
select product, place,
       'column ' || table_name || '.' || column_name || ' is above internal and no rule of masks.yaml covers it'
         as message
from catalog.columns
where sensitive and not masked and depth = 1
