-- policy: license-stated
-- severity: block
-- says: Every contract states the licence of its source, as customProperties license or an authoritative definition.
select product, place,
       'port ' || port || ' states no licence: add  customProperties: [{property: license, value: …}]' as message
from catalog.ports
where coalesce(license, '') = ''
