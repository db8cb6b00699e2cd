drop function require_lease(text, bigint);
drop function release_leases(uuid, text[]);
drop function take_leases(uuid, text[], interval);
drop function lease_key(text);
drop table leases;
