-- policy: freshness-promised
-- severity: warn
-- says: Every port promises how fresh its data is or how often it is renewed.
select product, place, 'port ' || port || ' promises no freshness: add  slaProperties: [{property: frequency, …}]' as message
from catalog.ports as port
where not exists (
  select 1
  from catalog.service_levels as promise
  where promise.product = port.product
    and promise.major = port.major
    and lower(promise.property) in ('freshness', 'latency', 'frequency')
)
