drop function drop_old_series(integer);
do $$
begin
  if to_regprocedure('refresh_roll_ups(integer, jsonb)') is not null then
    perform delete_job(job_id) from timescaledb_information.jobs where proc_schema = 'public' and proc_name = 'refresh_roll_ups';
    drop procedure refresh_roll_ups(integer, jsonb);
  end if;
end
$$;
-- What holds the roll-ups is told apart by its kind: a continuous aggregate shows as a view.
do $$
declare
  name text;
begin
  foreach name in array array['candles_1w', 'candles_1d', 'candles_4h', 'candles_1h', 'candles_30m', 'candles_15m', 'candles_5m'] loop
    if (select relkind from pg_class where oid = name::regclass) = 'v' then
      execute format('drop materialized view %I', name);
    else
      execute format('drop table %I', name);
    end if;
  end loop;
end
$$;
-- One by one: TimescaleDB drops no hypertable along with others.
drop table market_trades;
drop table book_tickers;
drop table candles;
drop table funding_rates;
drop table order_book_snapshots;
drop table order_flow_metrics;
drop table arbitrage_opportunities;
drop function if exists roll_up_candles();
drop function if exists lock_candles();
drop function refuse_change();
drop type order_side_enum;
