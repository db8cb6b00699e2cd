CREATE TYPE "public"."projection_status_enum" AS ENUM('RUNNING', 'REBUILDING', 'FAILED');--> statement-breakpoint
CREATE TYPE "public"."account_environment_enum" AS ENUM('PAPER', 'TESTNET', 'PRODUCTION');--> statement-breakpoint
CREATE TYPE "public"."account_status_enum" AS ENUM('ACTIVE', 'INACTIVE', 'ERROR', 'EXPIRED');--> statement-breakpoint
CREATE TYPE "public"."ledger_reason_enum" AS ENUM('DEPOSIT', 'WITHDRAWAL', 'RESERVE', 'RELEASE', 'TRADE', 'FEE', 'FUNDING', 'LIQUIDATION', 'ADJUSTMENT');--> statement-breakpoint
CREATE TYPE "public"."margin_mode_enum" AS ENUM('ISOLATED', 'CROSS');--> statement-breakpoint
CREATE TYPE "public"."order_status_enum" AS ENUM('PENDING', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED');--> statement-breakpoint
CREATE TYPE "public"."order_type_enum" AS ENUM('MARKET', 'LIMIT', 'LIMIT_MAKER', 'STOP_MARKET', 'STOP_LIMIT', 'TAKE_PROFIT', 'TAKE_PROFIT_LIMIT', 'TRAILING_STOP');--> statement-breakpoint
CREATE TYPE "public"."position_mode_enum" AS ENUM('ONE_WAY', 'HEDGE');--> statement-breakpoint
CREATE TYPE "public"."position_side_enum" AS ENUM('LONG', 'SHORT', 'BOTH');--> statement-breakpoint
CREATE TYPE "public"."position_status_enum" AS ENUM('OPEN', 'CLOSED', 'LIQUIDATED');--> statement-breakpoint
CREATE TYPE "public"."risk_scope_enum" AS ENUM('GLOBAL', 'USER', 'ACCOUNT', 'STRATEGY');--> statement-breakpoint
CREATE TYPE "public"."sync_status_enum" AS ENUM('PENDING', 'SYNCING', 'SYNCED', 'ERROR', 'DISABLED');--> statement-breakpoint
CREATE TYPE "public"."time_in_force_enum" AS ENUM('GTC', 'IOC', 'FOK', 'GTX', 'DAY');--> statement-breakpoint
CREATE TABLE "event_projections" (
	"name" varchar(100) PRIMARY KEY NOT NULL,
	"status" "projection_status_enum" NOT NULL,
	"last_position" bigint DEFAULT 0 NOT NULL,
	"event_count" bigint DEFAULT 0 NOT NULL,
	"error" text,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ck_event_projections_counts" CHECK ("event_projections"."last_position" >= 0 and "event_projections"."event_count" >= 0)
);
--> statement-breakpoint
CREATE TABLE "event_queue" (
	"event_id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"account_sequence" bigint NOT NULL,
	"payload" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"published_at" timestamp with time zone,
	CONSTRAINT "uk_event_queue_account_id_account_sequence" UNIQUE("account_id","account_sequence"),
	CONSTRAINT "ck_event_queue_payload" CHECK (jsonb_typeof("event_queue"."payload") = 'object'),
	CONSTRAINT "ck_event_queue_account_sequence" CHECK ("event_queue"."account_sequence" > 0)
);
--> statement-breakpoint
CREATE TABLE "event_store" (
	"id" uuid PRIMARY KEY NOT NULL,
	"position" bigint GENERATED ALWAYS AS IDENTITY (sequence name "event_store_position_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"stream_type" varchar(40) NOT NULL,
	"stream_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"event_type" varchar(60) NOT NULL,
	"data" jsonb NOT NULL,
	"correlation_id" uuid,
	"user_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"account_sequence" bigint NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "uk_event_store_stream_id_version" UNIQUE("stream_id","version"),
	CONSTRAINT "uk_event_store_account_id_account_sequence" UNIQUE("account_id","account_sequence"),
	CONSTRAINT "uk_event_store_position" UNIQUE("position"),
	CONSTRAINT "ck_event_store_version" CHECK ("event_store"."version" > 0 and "event_store"."account_sequence" > 0),
	CONSTRAINT "ck_event_store_data" CHECK (jsonb_typeof("event_store"."data") = 'object'),
	CONSTRAINT "ck_event_store_occurred_at" CHECK ("event_store"."occurred_at" <= "event_store"."recorded_at" + interval '5 minutes')
);
--> statement-breakpoint
CREATE TABLE "account_balances" (
	"account_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"asset" varchar(20) NOT NULL,
	"available" numeric(38, 18) NOT NULL,
	"locked" numeric(38, 18) NOT NULL,
	"sequence" bigint NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "pk_account_balances" PRIMARY KEY("account_id","asset"),
	CONSTRAINT "ck_account_balances_available" CHECK ("account_balances"."available" >= 0),
	CONSTRAINT "ck_account_balances_locked" CHECK ("account_balances"."locked" >= 0)
);
--> statement-breakpoint
CREATE TABLE "account_sequences" (
	"account_id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"sequence" bigint DEFAULT 0 NOT NULL,
	"equity_day" date,
	"equity_at_midnight" numeric(38, 18),
	"highest_equity" numeric(38, 18),
	CONSTRAINT "ck_account_sequences_sequence" CHECK ("account_sequences"."sequence" >= 0)
);
--> statement-breakpoint
CREATE TABLE "accounts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"exchange_id" integer NOT NULL,
	"name" varchar(100) NOT NULL,
	"environment" "account_environment_enum" NOT NULL,
	"status" "account_status_enum" DEFAULT 'ACTIVE' NOT NULL,
	"position_mode" "position_mode_enum" DEFAULT 'ONE_WAY' NOT NULL,
	"sync_status" "sync_status_enum" DEFAULT 'PENDING' NOT NULL,
	"last_sync_at" timestamp with time zone,
	"sync_error" varchar(500),
	"permissions" text[] DEFAULT '{}' NOT NULL,
	"sealed_api_key" text,
	"sealed_api_secret" text,
	"sealed_passphrase" text,
	"api_key_hint" varchar(20),
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "uk_accounts_id_user_id" UNIQUE("id","user_id"),
	CONSTRAINT "ck_accounts_name" CHECK (length(btrim("accounts"."name")) > 0),
	CONSTRAINT "ck_accounts_sealed_api_key" CHECK ("accounts"."sealed_api_key" ~ '^v1[.][a-z0-9_-]{1,32}[.][A-Za-z0-9_-]+$'),
	CONSTRAINT "ck_accounts_sealed_api_secret" CHECK ("accounts"."sealed_api_secret" ~ '^v1[.][a-z0-9_-]{1,32}[.][A-Za-z0-9_-]+$'),
	CONSTRAINT "ck_accounts_sealed_passphrase" CHECK ("accounts"."sealed_passphrase" ~ '^v1[.][a-z0-9_-]{1,32}[.][A-Za-z0-9_-]+$'),
	CONSTRAINT "ck_accounts_credentials" CHECK (case when "accounts"."environment" = 'PAPER' then num_nonnulls("accounts"."sealed_api_key", "accounts"."sealed_api_secret", "accounts"."sealed_passphrase", "accounts"."api_key_hint") = 0 else num_nonnulls("accounts"."sealed_api_key", "accounts"."sealed_api_secret", "accounts"."api_key_hint") = 3 end),
	CONSTRAINT "ck_accounts_permissions" CHECK (not 'WITHDRAW' = any ("accounts"."permissions")),
	CONSTRAINT "ck_accounts_deleted_at" CHECK ("accounts"."deleted_at" is null or "accounts"."status" <> 'ACTIVE')
);
--> statement-breakpoint
CREATE TABLE "balance_snapshots" (
	"account_id" uuid NOT NULL,
	"asset" varchar(20) NOT NULL,
	"taken_at" timestamp with time zone NOT NULL,
	"available" numeric(38, 18) NOT NULL,
	"locked" numeric(38, 18) NOT NULL,
	CONSTRAINT "pk_balance_snapshots" PRIMARY KEY("account_id","asset","taken_at"),
	CONSTRAINT "ck_balance_snapshots_amounts" CHECK ("balance_snapshots"."available" >= 0 and "balance_snapshots"."locked" >= 0)
);
--> statement-breakpoint
CREATE TABLE "ledger_entries" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"account_sequence" bigint NOT NULL,
	"ordinal" smallint NOT NULL,
	"asset" varchar(20) NOT NULL,
	"reason" "ledger_reason_enum" NOT NULL,
	"available_change" numeric(38, 18) NOT NULL,
	"locked_change" numeric(38, 18) NOT NULL,
	"order_id" uuid,
	"fill_id" uuid,
	"occurred_at" timestamp with time zone NOT NULL,
	CONSTRAINT "uk_ledger_entries_account_id_account_sequence" UNIQUE("account_id","account_sequence","ordinal"),
	CONSTRAINT "ck_ledger_entries_asset" CHECK ("ledger_entries"."asset" ~ '^[A-Z0-9][A-Z0-9._-]*$'),
	CONSTRAINT "ck_ledger_entries_changes" CHECK ("ledger_entries"."available_change" <> 0 or "ledger_entries"."locked_change" <> 0),
	CONSTRAINT "ck_ledger_entries_reason" CHECK (case "ledger_entries"."reason" when 'RESERVE' then "ledger_entries"."locked_change" > 0 and "ledger_entries"."available_change" = -"ledger_entries"."locked_change" when 'RELEASE' then "ledger_entries"."locked_change" < 0 and "ledger_entries"."available_change" = -"ledger_entries"."locked_change" when 'DEPOSIT' then "ledger_entries"."available_change" > 0 and "ledger_entries"."locked_change" = 0 when 'WITHDRAWAL' then "ledger_entries"."available_change" < 0 and "ledger_entries"."locked_change" = 0 else true end),
	CONSTRAINT "ck_ledger_entries_order_id" CHECK ("ledger_entries"."reason" not in ('TRADE', 'FEE') or "ledger_entries"."order_id" is not null),
	CONSTRAINT "ck_ledger_entries_ordinal" CHECK ("ledger_entries"."ordinal" >= 0 and "ledger_entries"."account_sequence" > 0)
);
--> statement-breakpoint
CREATE TABLE "order_fills" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"order_id" uuid NOT NULL,
	"symbol_id" integer NOT NULL,
	"position_id" uuid,
	"exchange_fill_id" varchar(100) NOT NULL,
	"price" numeric(38, 18) NOT NULL,
	"quantity" numeric(38, 18) NOT NULL,
	"commission" numeric(38, 18) NOT NULL,
	"commission_asset" varchar(20),
	"realized_pnl" numeric(38, 18) NOT NULL,
	"is_maker" boolean NOT NULL,
	"filled_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "uk_order_fills_account_id_exchange_fill_id" UNIQUE("account_id","symbol_id","exchange_fill_id"),
	CONSTRAINT "ck_order_fills_price" CHECK ("order_fills"."price" > 0),
	CONSTRAINT "ck_order_fills_quantity" CHECK ("order_fills"."quantity" > 0),
	CONSTRAINT "ck_order_fills_commission_asset" CHECK ("order_fills"."commission" = 0 or "order_fills"."commission_asset" is not null),
	CONSTRAINT "ck_order_fills_filled_at" CHECK ("order_fills"."filled_at" <= "order_fills"."created_at" + interval '5 minutes')
);
--> statement-breakpoint
CREATE TABLE "orders" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"symbol_id" integer NOT NULL,
	"position_id" uuid,
	"client_order_id" varchar(64) NOT NULL,
	"exchange_order_id" varchar(100),
	"side" "order_side_enum" NOT NULL,
	"position_side" "position_side_enum" NOT NULL,
	"order_type" "order_type_enum" NOT NULL,
	"status" "order_status_enum" NOT NULL,
	"time_in_force" time_in_force_enum NOT NULL,
	"quantity" numeric(38, 18) NOT NULL,
	"price" numeric(38, 18),
	"stop_price" numeric(38, 18),
	"callback_rate" numeric(12, 6),
	"iceberg_quantity" numeric(38, 18),
	"leverage" smallint NOT NULL,
	"margin_mode" "margin_mode_enum" NOT NULL,
	"reduce_only" boolean NOT NULL,
	"post_only" boolean NOT NULL,
	"stop_loss" numeric(38, 18),
	"take_profit" numeric(38, 18),
	"parent_order_id" uuid,
	"is_unconfirmed" boolean NOT NULL,
	"triggered_at" timestamp with time zone,
	"cancel_requested_at" timestamp with time zone,
	"pending_replacement" jsonb,
	"filled_quantity" numeric(38, 18) NOT NULL,
	"filled_quote" numeric NOT NULL,
	"avg_fill_price" numeric(38, 18),
	"commissions" jsonb NOT NULL,
	"reserve_price" numeric(38, 18),
	"reserved_asset" varchar(20),
	"reserved" numeric(38, 18) NOT NULL,
	"reject_code" varchar(40),
	"reject_reason" varchar(500),
	"venue_state" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"content_hash" varchar(64) NOT NULL,
	"version" integer NOT NULL,
	"sequence" bigint NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"replaced_at" timestamp with time zone,
	"last_fill_at" timestamp with time zone,
	"filled_at" timestamp with time zone,
	"cancelled_at" timestamp with time zone,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "uk_orders_id_account_id" UNIQUE("id","account_id"),
	CONSTRAINT "uk_orders_account_id_client_order_id" UNIQUE("account_id","client_order_id"),
	CONSTRAINT "ck_orders_client_order_id" CHECK (length("orders"."client_order_id") > 0),
	CONSTRAINT "ck_orders_quantity" CHECK ("orders"."quantity" > 0),
	CONSTRAINT "ck_orders_filled_quantity" CHECK ("orders"."filled_quantity" between 0 and "orders"."quantity"),
	CONSTRAINT "ck_orders_prices" CHECK ("orders"."price" > 0 and "orders"."stop_price" > 0 and "orders"."stop_loss" > 0 and "orders"."take_profit" > 0 and "orders"."reserve_price" > 0),
	CONSTRAINT "ck_orders_price" CHECK (("orders"."order_type" in ('LIMIT', 'LIMIT_MAKER', 'STOP_LIMIT', 'TAKE_PROFIT_LIMIT')) = ("orders"."price" is not null)),
	CONSTRAINT "ck_orders_stop_price" CHECK (case when "orders"."order_type" in ('STOP_MARKET', 'STOP_LIMIT', 'TAKE_PROFIT', 'TAKE_PROFIT_LIMIT') then "orders"."stop_price" is not null when "orders"."order_type" = 'TRAILING_STOP' then true else "orders"."stop_price" is null end),
	CONSTRAINT "ck_orders_callback_rate" CHECK (("orders"."order_type" = 'TRAILING_STOP') = ("orders"."callback_rate" is not null) and ("orders"."callback_rate" is null or "orders"."callback_rate" > 0 and "orders"."callback_rate" < 100)),
	CONSTRAINT "ck_orders_iceberg_quantity" CHECK ("orders"."iceberg_quantity" > 0 and "orders"."iceberg_quantity" <= "orders"."quantity"),
	CONSTRAINT "ck_orders_filled_quote" CHECK (("orders"."filled_quantity" > 0) = ("orders"."filled_quote" > 0) and (jsonb_typeof("orders"."commissions") = 'array')),
	CONSTRAINT "ck_orders_leverage" CHECK ("orders"."leverage" between 1 and 125),
	CONSTRAINT "ck_orders_post_only" CHECK (not "orders"."post_only" or "orders"."price" is not null),
	CONSTRAINT "ck_orders_avg_fill_price" CHECK (("orders"."filled_quantity" > 0) = ("orders"."avg_fill_price" is not null) and ("orders"."avg_fill_price" is null or "orders"."avg_fill_price" > 0)),
	CONSTRAINT "ck_orders_reserved" CHECK ("orders"."reserved" >= 0 and ("orders"."reserved" = 0 or "orders"."reserved_asset" is not null)),
	CONSTRAINT "ck_orders_status" CHECK (case "orders"."status" when 'PENDING' then "orders"."filled_quantity" = 0 when 'NEW' then "orders"."filled_quantity" = 0 when 'PARTIALLY_FILLED' then "orders"."filled_quantity" > 0 and ("orders"."filled_quantity" < "orders"."quantity" or "orders"."pending_replacement" is not null) when 'FILLED' then "orders"."filled_quantity" = "orders"."quantity" else true end),
	CONSTRAINT "ck_orders_filled_at" CHECK (("orders"."status" = 'FILLED') = ("orders"."filled_at" is not null)),
	CONSTRAINT "ck_orders_cancelled_at" CHECK (("orders"."status" = 'CANCELLED') = ("orders"."cancelled_at" is not null)),
	CONSTRAINT "ck_orders_reject_reason" CHECK (("orders"."status" = 'REJECTED') = ("orders"."reject_code" is not null)),
	CONSTRAINT "ck_orders_version" CHECK ("orders"."version" > 0)
);
--> statement-breakpoint
CREATE TABLE "positions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"symbol_id" integer NOT NULL,
	"side" "position_side_enum" NOT NULL,
	"status" "position_status_enum" NOT NULL,
	"quantity" numeric(38, 18) NOT NULL,
	"entry_cost" numeric(38, 18) NOT NULL,
	"entry_price" numeric(38, 18),
	"liquidation_price" numeric(38, 18),
	"leverage" smallint NOT NULL,
	"margin_mode" "margin_mode_enum" NOT NULL,
	"margin_used" numeric(38, 18) NOT NULL,
	"realized_pnl" numeric(38, 18) NOT NULL,
	"stop_loss" numeric(38, 18),
	"take_profit" numeric(38, 18),
	"version" integer NOT NULL,
	"sequence" bigint NOT NULL,
	"opened_at" timestamp with time zone NOT NULL,
	"closed_at" timestamp with time zone,
	"updated_at" timestamp with time zone NOT NULL,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "uk_positions_id_account_id" UNIQUE("id","account_id"),
	CONSTRAINT "ck_positions_leverage" CHECK ("positions"."leverage" between 1 and 125),
	CONSTRAINT "ck_positions_margin_used" CHECK ("positions"."margin_used" >= 0),
	CONSTRAINT "ck_positions_side" CHECK ("positions"."side" <> 'BOTH'),
	CONSTRAINT "ck_positions_prices" CHECK ("positions"."entry_price" > 0 and "positions"."liquidation_price" > 0 and "positions"."entry_cost" >= 0),
	CONSTRAINT "ck_positions_triggers" CHECK ("positions"."stop_loss" > 0 and "positions"."take_profit" > 0),
	CONSTRAINT "ck_positions_status" CHECK (case when "positions"."status" = 'OPEN' then "positions"."quantity" > 0 and "positions"."entry_price" is not null and "positions"."closed_at" is null else "positions"."quantity" = 0 and "positions"."entry_cost" = 0 and "positions"."margin_used" = 0 and "positions"."closed_at" is not null end),
	CONSTRAINT "ck_positions_closed_at" CHECK ("positions"."closed_at" >= "positions"."opened_at"),
	CONSTRAINT "ck_positions_version" CHECK ("positions"."version" > 0)
);
--> statement-breakpoint
CREATE TABLE "risk_limits" (
	"id" uuid PRIMARY KEY NOT NULL,
	"scope" "risk_scope_enum" NOT NULL,
	"user_id" uuid,
	"account_id" uuid,
	"strategy_id" uuid,
	"max_order_size" numeric(38, 18),
	"max_position_size" numeric(38, 18),
	"max_leverage" smallint,
	"max_daily_loss" numeric(38, 18),
	"max_daily_loss_percent" numeric(12, 6),
	"max_drawdown_percent" numeric(12, 6),
	"max_open_positions" integer,
	"is_enabled" boolean DEFAULT true NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "ck_risk_limits_scope" CHECK (case "risk_limits"."scope" when 'GLOBAL' then num_nonnulls("risk_limits"."user_id", "risk_limits"."account_id", "risk_limits"."strategy_id") = 0 when 'USER' then "risk_limits"."user_id" is not null and num_nonnulls("risk_limits"."account_id", "risk_limits"."strategy_id") = 0 when 'ACCOUNT' then num_nonnulls("risk_limits"."user_id", "risk_limits"."account_id") = 2 and "risk_limits"."strategy_id" is null else num_nonnulls("risk_limits"."user_id", "risk_limits"."strategy_id") = 2 end),
	CONSTRAINT "ck_risk_limits_amounts" CHECK ("risk_limits"."max_order_size" >= 0 and "risk_limits"."max_position_size" >= 0 and "risk_limits"."max_daily_loss" >= 0 and "risk_limits"."max_open_positions" >= 0),
	CONSTRAINT "ck_risk_limits_max_leverage" CHECK ("risk_limits"."max_leverage" between 1 and 125),
	CONSTRAINT "ck_risk_limits_percent" CHECK ("risk_limits"."max_daily_loss_percent" >= 0 and "risk_limits"."max_drawdown_percent" >= 0)
);
--> statement-breakpoint
CREATE TABLE "risk_violations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"symbol_id" integer NOT NULL,
	"limit_name" varchar(40) NOT NULL,
	"scope" "risk_scope_enum" NOT NULL,
	"limit_value" numeric(38, 18) NOT NULL,
	"value" numeric(38, 18) NOT NULL,
	"client_order_id" varchar(64),
	"occurred_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "account_balances" ADD CONSTRAINT "fk_account_balances_account_id_user_id" FOREIGN KEY ("account_id","user_id") REFERENCES "public"."accounts"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "account_sequences" ADD CONSTRAINT "fk_account_sequences_account_id_user_id" FOREIGN KEY ("account_id","user_id") REFERENCES "public"."accounts"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "accounts" ADD CONSTRAINT "fk_accounts_user_id" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "accounts" ADD CONSTRAINT "fk_accounts_exchange_id" FOREIGN KEY ("exchange_id") REFERENCES "public"."exchanges"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "balance_snapshots" ADD CONSTRAINT "fk_balance_snapshots_account_id" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ledger_entries" ADD CONSTRAINT "fk_ledger_entries_account_id_user_id" FOREIGN KEY ("account_id","user_id") REFERENCES "public"."accounts"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ledger_entries" ADD CONSTRAINT "fk_ledger_entries_order_id_account_id" FOREIGN KEY ("order_id","account_id") REFERENCES "public"."orders"("id","account_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ledger_entries" ADD CONSTRAINT "fk_ledger_entries_fill_id" FOREIGN KEY ("fill_id") REFERENCES "public"."order_fills"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "order_fills" ADD CONSTRAINT "fk_order_fills_account_id_user_id" FOREIGN KEY ("account_id","user_id") REFERENCES "public"."accounts"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "order_fills" ADD CONSTRAINT "fk_order_fills_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "order_fills" ADD CONSTRAINT "fk_order_fills_order_id_account_id" FOREIGN KEY ("order_id","account_id") REFERENCES "public"."orders"("id","account_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "order_fills" ADD CONSTRAINT "fk_order_fills_position_id_account_id" FOREIGN KEY ("position_id","account_id") REFERENCES "public"."positions"("id","account_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "fk_orders_account_id_user_id" FOREIGN KEY ("account_id","user_id") REFERENCES "public"."accounts"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "fk_orders_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "fk_orders_position_id_account_id" FOREIGN KEY ("position_id","account_id") REFERENCES "public"."positions"("id","account_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "fk_orders_parent_order_id_account_id" FOREIGN KEY ("parent_order_id","account_id") REFERENCES "public"."orders"("id","account_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "positions" ADD CONSTRAINT "fk_positions_account_id_user_id" FOREIGN KEY ("account_id","user_id") REFERENCES "public"."accounts"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "positions" ADD CONSTRAINT "fk_positions_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "risk_limits" ADD CONSTRAINT "fk_risk_limits_user_id" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "risk_limits" ADD CONSTRAINT "fk_risk_limits_account_id_user_id" FOREIGN KEY ("account_id","user_id") REFERENCES "public"."accounts"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "risk_violations" ADD CONSTRAINT "fk_risk_violations_account_id_user_id" FOREIGN KEY ("account_id","user_id") REFERENCES "public"."accounts"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "risk_violations" ADD CONSTRAINT "fk_risk_violations_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_event_queue_unpublished" ON "event_queue" USING btree ("created_at","account_id","account_sequence") WHERE published_at is null;--> statement-breakpoint
CREATE INDEX "idx_event_queue_published_at" ON "event_queue" USING btree ("published_at") WHERE published_at is not null;--> statement-breakpoint
CREATE INDEX "idx_account_sequences_user_id" ON "account_sequences" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "uk_accounts_user_id_name" ON "accounts" USING btree ("user_id","name") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "idx_accounts_user_id_exchange_id" ON "accounts" USING btree ("user_id","exchange_id");--> statement-breakpoint
CREATE INDEX "idx_ledger_entries_account_id_asset" ON "ledger_entries" USING btree ("account_id","asset","account_sequence");--> statement-breakpoint
CREATE INDEX "idx_ledger_entries_order_id" ON "ledger_entries" USING btree ("order_id") WHERE order_id is not null;--> statement-breakpoint
CREATE INDEX "idx_order_fills_order_id" ON "order_fills" USING btree ("order_id","id");--> statement-breakpoint
CREATE INDEX "idx_order_fills_position_id" ON "order_fills" USING btree ("position_id","id") WHERE position_id is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "uk_orders_account_id_exchange_order_id" ON "orders" USING btree ("account_id","symbol_id","exchange_order_id") WHERE exchange_order_id is not null;--> statement-breakpoint
CREATE INDEX "idx_orders_user_id" ON "orders" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "idx_orders_account_id" ON "orders" USING btree ("account_id","id");--> statement-breakpoint
CREATE INDEX "idx_orders_parent_order_id" ON "orders" USING btree ("parent_order_id") WHERE parent_order_id is not null;--> statement-breakpoint
CREATE INDEX "idx_orders_position_id" ON "orders" USING btree ("position_id") WHERE position_id is not null;--> statement-breakpoint
CREATE INDEX "idx_orders_waiting" ON "orders" USING btree ("account_id") WHERE status in ('PENDING', 'NEW', 'PARTIALLY_FILLED') and (status = 'PENDING' or cancel_requested_at is not null or pending_replacement is not null);--> statement-breakpoint
CREATE INDEX "idx_orders_open" ON "orders" USING btree ("account_id","symbol_id") WHERE status in ('PENDING', 'NEW', 'PARTIALLY_FILLED');--> statement-breakpoint
CREATE UNIQUE INDEX "uk_positions_open" ON "positions" USING btree ("account_id","symbol_id","side") WHERE status = 'OPEN';--> statement-breakpoint
CREATE INDEX "idx_positions_user_id" ON "positions" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "idx_positions_account_id" ON "positions" USING btree ("account_id","id");--> statement-breakpoint
CREATE INDEX "idx_risk_limits_user_id" ON "risk_limits" USING btree ("user_id") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "idx_risk_violations_account_id_occurred_at" ON "risk_violations" USING btree ("account_id","occurred_at" DESC NULLS LAST,"id" DESC NULLS LAST);