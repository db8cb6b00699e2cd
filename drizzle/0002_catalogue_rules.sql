-- The rules of the catalogue that are no plain constraint, its change notifications, and who may do what.

-- symbol_quotes is rewritten several times a second: room on each page keeps the new row version on it (HOT updates).
alter table symbol_quotes set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);
--> statement-breakpoint
-- At least nine default symbols, checked at commit, so that one transaction may swap a default for another.
-- The lock makes two transactions that each remove one count one after the other.
create function enforce_minimum_defaults() returns trigger language plpgsql as $$
declare
  remaining integer;
begin
  perform pg_advisory_xact_lock(hashtext('tradegraph.symbols.defaults'));
  select count(*) into remaining from symbols where is_default;
  if remaining < 9 then
    raise exception 'at least 9 symbols must be default, % would remain', remaining
      using errcode = 'check_violation', constraint = 'ck_symbols_minimum_defaults', table = 'symbols',
        hint = 'Make another symbol a default in the same transaction.';
  end if;
  return null;
end
$$;
--> statement-breakpoint
create constraint trigger ck_symbols_minimum_defaults_update after update of is_default on symbols
  deferrable initially deferred for each row when (old.is_default and not new.is_default)
  execute function enforce_minimum_defaults();
--> statement-breakpoint
create constraint trigger ck_symbols_minimum_defaults_delete after delete on symbols
  deferrable initially deferred for each row when (old.is_default)
  execute function enforce_minimum_defaults();
--> statement-breakpoint
create function refuse_truncate() returns trigger language plpgsql as $$
begin
  raise exception 'truncate of % is refused: it would bypass the rules on its rows', tg_table_name using errcode = 'check_violation';
end
$$;
--> statement-breakpoint
create trigger ck_symbols_no_truncate before truncate on symbols execute function refuse_truncate();
--> statement-breakpoint
-- A market's code begins with its exchange's code and its time zone is one that Postgres knows.
create function check_market() returns trigger language plpgsql as $$
begin
  if split_part(new.code, '_', 1) is distinct from (select code from exchanges where id = new.exchange_id) then
    raise exception 'market code % does not begin with the code of its exchange', new.code
      using errcode = 'check_violation', constraint = 'ck_markets_code_exchange', table = 'markets';
  end if;
  begin
    perform now() at time zone new.timezone;
  exception when invalid_parameter_value then
    raise exception 'unknown time zone %', new.timezone
      using errcode = 'check_violation', constraint = 'ck_markets_timezone', table = 'markets';
  end;
  return new;
end
$$;
--> statement-breakpoint
create trigger ck_markets before insert or update of code, exchange_id, timezone on markets
  for each row execute function check_market();
--> statement-breakpoint
-- Tells every process which rows changed, so that the catalogues they keep in memory follow within a second.
-- A change of more than 500 rows at once sends no ids, which means: read the table again.
create function notify_catalogue_change() returns trigger language plpgsql as $$
declare
  ids integer[];
begin
  select array_agg(id) into ids from (select id from changed limit 501) sample;
  if ids is not null then
    perform pg_notify('tradegraph_catalogue', json_build_object('table', tg_table_name,
      'ids', case when array_length(ids, 1) <= 500 then to_json(ids) end)::text);
  end if;
  return null;
end
$$;
--> statement-breakpoint
create trigger set_updated_at before update on asset_classes for each row when (old.* is distinct from new.*) execute function set_updated_at();
--> statement-breakpoint
create trigger notify_insert after insert on asset_classes referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_update after update on asset_classes referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_delete after delete on asset_classes referencing old table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger set_updated_at before update on exchanges for each row when (old.* is distinct from new.*) execute function set_updated_at();
--> statement-breakpoint
create trigger notify_insert after insert on exchanges referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_update after update on exchanges referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_delete after delete on exchanges referencing old table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger set_updated_at before update on markets for each row when (old.* is distinct from new.*) execute function set_updated_at();
--> statement-breakpoint
create trigger notify_insert after insert on markets referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_update after update on markets referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_delete after delete on markets referencing old table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger set_updated_at before update on trading_sessions for each row when (old.* is distinct from new.*) execute function set_updated_at();
--> statement-breakpoint
create trigger notify_insert after insert on trading_sessions referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_update after update on trading_sessions referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_delete after delete on trading_sessions referencing old table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger set_updated_at before update on market_holidays for each row when (old.* is distinct from new.*) execute function set_updated_at();
--> statement-breakpoint
create trigger notify_insert after insert on market_holidays referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_update after update on market_holidays referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_delete after delete on market_holidays referencing old table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger set_updated_at before update on data_providers for each row when (old.* is distinct from new.*) execute function set_updated_at();
--> statement-breakpoint
create trigger notify_insert after insert on data_providers referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_update after update on data_providers referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_delete after delete on data_providers referencing old table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger set_updated_at before update on symbols for each row when (old.* is distinct from new.*) execute function set_updated_at();
--> statement-breakpoint
create trigger notify_insert after insert on symbols referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_update after update on symbols referencing new table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
create trigger notify_delete after delete on symbols referencing old table as changed for each statement execute function notify_catalogue_change();
--> statement-breakpoint
-- Loads the library, without which its setting below is unknown to this session.
select similarity('a', 'b');
--> statement-breakpoint
-- Active symbols whose text is like the (lower-case) term; below 0.4 a name is not a misspelling but another word.
create function similar_symbols(term text) returns table (id integer, likeness real)
  language sql stable parallel safe set pg_trgm.word_similarity_threshold = 0.4
as $$
  select s.id, word_similarity(term, symbol_search_text(s.ticker, s.display_name, s.full_name, s.full_name_tr))
  from symbols s
  where s.is_active and term <% symbol_search_text(s.ticker, s.display_name, s.full_name, s.full_name_tr)
$$;
--> statement-breakpoint
-- The running program adds and changes what operators and feeds change; it deletes nothing and owns nothing.
grant select on asset_classes, exchanges, markets, trading_sessions, market_holidays, data_providers, symbols, symbol_quotes to tradegraph_app, tradegraph_readonly;
--> statement-breakpoint
grant insert, update on symbols, symbol_quotes to tradegraph_app;
--> statement-breakpoint
grant update on markets, data_providers to tradegraph_app;
--> statement-breakpoint
grant select, insert, update, delete on asset_classes, exchanges, markets, trading_sessions, market_holidays, data_providers, symbols, symbol_quotes to tradegraph_admin;
