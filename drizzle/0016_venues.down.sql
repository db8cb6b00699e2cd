drop function real_accounts();
-- The accounts at exchanges that are worked for: the active ones, and the others for as long as they have open orders. `is_waiting`:
-- an order is stored, to be replaced or to be cancelled, and the exchange has not answered.
create function real_accounts() returns table (account_id uuid, user_id uuid, exchange_code text, environment text, is_waiting boolean)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select a.id, a.user_id, e.code::text, a.environment::text, coalesce(o.is_waiting, false)
  from accounts a
  join exchanges e on e.id = a.exchange_id
  left join lateral (
    select bool_or(status = 'PENDING' or cancel_requested_at is not null or pending_replacement is not null) as is_waiting
    from orders where account_id = a.id and status in ('PENDING', 'NEW', 'PARTIALLY_FILLED')
  ) o on true
  where a.environment <> 'PAPER' and a.deleted_at is null
    and (a.status = 'ACTIVE' or (a.status = 'INACTIVE' and o.is_waiting is not null))
$$;
revoke execute on function real_accounts() from public;
grant execute on function real_accounts() to tradegraph_app;
revoke select (keys_updated_at) on accounts from tradegraph_admin;
revoke update (keys_updated_at) on accounts from tradegraph_app;
drop index uk_event_store_account_id_venue_id;
alter table accounts drop column keys_updated_at;
