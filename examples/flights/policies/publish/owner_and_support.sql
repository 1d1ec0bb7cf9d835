-- policy: owner-and-support
-- severity: block
-- says: Every product names the team that owns it and where to get help.
select product, place,
       case when coalesce(owner, '') = '' then 'no owner: add  team: {name: …}'
            else 'no support: add  support: [{channel: …, url: …}]' end as message
from catalog.products
where coalesce(owner, '') = '' or coalesce(support, '') = ''
