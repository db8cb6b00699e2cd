ALTER TABLE "accounts" ADD COLUMN "keys_updated_at" timestamp with time zone;--> statement-breakpoint
CREATE UNIQUE INDEX "uk_event_store_account_id_venue_id" ON "event_store" USING btree ("account_id","event_type",("data" ->> 'venueId')) WHERE "event_store"."stream_type" = 'account' and "event_store"."data" ->> 'source' = 'exchange';--> statement-breakpoint
grant update (keys_updated_at) on accounts to tradegraph_app;
--> statement-breakpoint
grant select (keys_updated_at) on accounts to tradegraph_admin;
--> statement-breakpoint
drop function real_accounts();
--> statement-breakpoint
-- The accounts at exchanges that are worked for: the active ones, those in error, which are tried again, and the others for as long
-- as they have open orders. `is_waiting`: an order is stored, to be replaced or to be cancelled, and the exchange has not answered.
create function real_accounts() returns table (account_id uuid, user_id uuid, exchange_code text, environment text, is_waiting boolean,
    keys_updated_at timestamptz)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select a.id, a.user_id, e.code::text, a.environment::text, coalesce(o.is_waiting, false), a.keys_updated_at
  from accounts a
  join exchanges e on e.id = a.exchange_id
  left join lateral (
    select bool_or(status = 'PENDING' or cancel_requested_at is not null or pending_replacement is not null) as is_waiting
    from orders where account_id = a.id and status in ('PENDING', 'NEW', 'PARTIALLY_FILLED')
  ) o on true
  where a.environment <> 'PAPER' and a.deleted_at is null
    and (a.status in ('ACTIVE', 'ERROR') or (a.status = 'INACTIVE' and o.is_waiting is not null))
$$;
--> statement-breakpoint
revoke execute on function real_accounts() from public;
--> statement-breakpoint
grant execute on function real_accounts() to tradegraph_app;
--> statement-breakpoint
select let_monitor_read('accounts');
