drop function write_ledger(jsonb, text, bigint);
drop function load_account(uuid, uuid, text, boolean, boolean, uuid, uuid, text);
