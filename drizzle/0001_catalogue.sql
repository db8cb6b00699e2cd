CREATE TYPE "public"."connection_status_enum" AS ENUM('DISCONNECTED', 'CONNECTING', 'CONNECTED', 'RECONNECTING', 'STALE', 'ERROR');--> statement-breakpoint
CREATE TYPE "public"."feed_type_enum" AS ENUM('WEBSOCKET', 'REST');--> statement-breakpoint
CREATE TYPE "public"."market_status_enum" AS ENUM('PRE_MARKET', 'OPEN', 'POST_MARKET', 'CLOSED', 'HALTED', 'MAINTENANCE');--> statement-breakpoint
CREATE TYPE "public"."market_type_enum" AS ENUM('SPOT', 'MARGIN', 'FUTURES', 'EQUITY');--> statement-breakpoint
CREATE TYPE "public"."provider_type_enum" AS ENUM('REALTIME', 'DELAYED', 'HISTORICAL', 'SIMULATED');--> statement-breakpoint
CREATE TYPE "public"."symbol_status_enum" AS ENUM('TRADING', 'HALT', 'DELISTED');--> statement-breakpoint
CREATE TABLE "asset_classes" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "asset_classes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"code" varchar(20) NOT NULL,
	"name" varchar(100) NOT NULL,
	"name_tr" varchar(100),
	"description" varchar(500),
	"primary_currency" varchar(12) NOT NULL,
	"default_price_precision" smallint NOT NULL,
	"default_quantity_precision" smallint NOT NULL,
	"supports_24x7_trading" boolean DEFAULT false NOT NULL,
	"supports_fractional" boolean DEFAULT false NOT NULL,
	"min_trade_amount" numeric(38, 18),
	"regulatory_class" varchar(50),
	"is_active" boolean DEFAULT true NOT NULL,
	"display_order" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "uk_asset_classes_code" UNIQUE("code"),
	CONSTRAINT "ck_asset_classes_code" CHECK ("asset_classes"."code" ~ '^[A-Z][A-Z0-9_]*$'),
	CONSTRAINT "ck_asset_classes_price_precision" CHECK ("asset_classes"."default_price_precision" between 0 and 18),
	CONSTRAINT "ck_asset_classes_quantity_precision" CHECK ("asset_classes"."default_quantity_precision" between 0 and 18),
	CONSTRAINT "ck_asset_classes_min_trade_amount" CHECK ("asset_classes"."min_trade_amount" > 0)
);
--> statement-breakpoint
CREATE TABLE "data_providers" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "data_providers_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"market_id" integer NOT NULL,
	"code" varchar(50) NOT NULL,
	"name" varchar(200) NOT NULL,
	"description" varchar(1000),
	"provider_type" "provider_type_enum" NOT NULL,
	"feed_type" "feed_type_enum" NOT NULL,
	"endpoint_url" varchar(500),
	"websocket_url" varchar(500),
	"backup_websocket_url" varchar(500),
	"rate_limit_per_minute" integer,
	"timeout_ms" integer DEFAULT 10000 NOT NULL,
	"max_retries" integer DEFAULT 3 NOT NULL,
	"retry_delay_ms" integer DEFAULT 500 NOT NULL,
	"stale_after_ms" integer DEFAULT 30000 NOT NULL,
	"data_delay_minutes" integer DEFAULT 0 NOT NULL,
	"supported_data_types" text[] DEFAULT '{}' NOT NULL,
	"provider_config" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"connection_status" "connection_status_enum" DEFAULT 'DISCONNECTED' NOT NULL,
	"last_connected_at" timestamp with time zone,
	"last_message_at" timestamp with time zone,
	"last_error" varchar(1000),
	"error_count_hourly" integer DEFAULT 0 NOT NULL,
	"is_active" boolean DEFAULT true NOT NULL,
	"is_primary" boolean DEFAULT false NOT NULL,
	"priority" smallint DEFAULT 50 NOT NULL,
	"cost_per_1k_calls" numeric(20, 10),
	"monthly_limit" integer,
	"monthly_usage" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "uk_data_providers_code" UNIQUE("code"),
	CONSTRAINT "uk_data_providers_id_market_id" UNIQUE("id","market_id"),
	CONSTRAINT "ck_data_providers_code" CHECK ("data_providers"."code" ~ '^[A-Z][A-Z0-9_]*$'),
	CONSTRAINT "ck_data_providers_priority" CHECK ("data_providers"."priority" between 0 and 100),
	CONSTRAINT "ck_data_providers_websocket_url" CHECK ("data_providers"."feed_type" <> 'WEBSOCKET' or "data_providers"."provider_type" = 'SIMULATED' or "data_providers"."websocket_url" is not null),
	CONSTRAINT "ck_data_providers_timeout_ms" CHECK ("data_providers"."timeout_ms" between 100 and 300000),
	CONSTRAINT "ck_data_providers_retry" CHECK ("data_providers"."max_retries" >= 0 and "data_providers"."retry_delay_ms" >= 0),
	CONSTRAINT "ck_data_providers_stale_after_ms" CHECK ("data_providers"."stale_after_ms" between 100 and 86400000),
	CONSTRAINT "ck_data_providers_data_delay_minutes" CHECK ("data_providers"."data_delay_minutes" >= 0),
	CONSTRAINT "ck_data_providers_rate_limit_per_minute" CHECK ("data_providers"."rate_limit_per_minute" > 0),
	CONSTRAINT "ck_data_providers_counts" CHECK ("data_providers"."error_count_hourly" >= 0 and "data_providers"."monthly_usage" >= 0 and "data_providers"."monthly_limit" >= 0),
	CONSTRAINT "ck_data_providers_cost_per_1k_calls" CHECK ("data_providers"."cost_per_1k_calls" >= 0)
);
--> statement-breakpoint
CREATE TABLE "exchanges" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "exchanges_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"code" varchar(20) NOT NULL,
	"name" varchar(100) NOT NULL,
	"supports_spot" boolean DEFAULT false NOT NULL,
	"supports_futures" boolean DEFAULT false NOT NULL,
	"is_active" boolean DEFAULT true NOT NULL,
	"display_order" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "uk_exchanges_code" UNIQUE("code"),
	CONSTRAINT "ck_exchanges_code" CHECK ("exchanges"."code" ~ '^[A-Z0-9]+$')
);
--> statement-breakpoint
CREATE TABLE "market_holidays" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "market_holidays_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"market_id" integer NOT NULL,
	"date" date NOT NULL,
	"name" varchar(100) NOT NULL,
	"name_tr" varchar(100),
	"open_time" time,
	"close_time" time,
	"post_market_close_time" time,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "uk_market_holidays_market_id_date" UNIQUE("market_id","date"),
	CONSTRAINT "ck_market_holidays_times" CHECK ("market_holidays"."open_time" < "market_holidays"."close_time"),
	CONSTRAINT "ck_market_holidays_post_market" CHECK ("market_holidays"."post_market_close_time" is null or ("market_holidays"."close_time" is not null and "market_holidays"."post_market_close_time" > "market_holidays"."close_time"))
);
--> statement-breakpoint
CREATE TABLE "markets" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "markets_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"exchange_id" integer NOT NULL,
	"asset_class_id" integer NOT NULL,
	"code" varchar(40) NOT NULL,
	"name" varchar(200) NOT NULL,
	"name_tr" varchar(200),
	"description" varchar(1000),
	"market_type" "market_type_enum" NOT NULL,
	"country_code" varchar(2),
	"timezone" varchar(50) NOT NULL,
	"primary_currency" varchar(12) NOT NULL,
	"market_maker" varchar(50),
	"default_commission_rate" numeric(20, 10) NOT NULL,
	"min_commission" numeric(38, 18),
	"market_config" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"is_24x7" boolean DEFAULT false NOT NULL,
	"operator_status" "market_status_enum",
	"status_updated_at" timestamp with time zone,
	"is_active" boolean DEFAULT true NOT NULL,
	"has_realtime_data" boolean DEFAULT false NOT NULL,
	"data_delay_minutes" integer DEFAULT 0 NOT NULL,
	"display_order" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "uk_markets_code" UNIQUE("code"),
	CONSTRAINT "uk_markets_exchange_id_market_type" UNIQUE("exchange_id","market_type"),
	CONSTRAINT "ck_markets_code" CHECK ("markets"."code" ~ '^[A-Z0-9]+_(SPOT|MARGIN|FUTURES|EQUITY)$'),
	CONSTRAINT "ck_markets_code_market_type" CHECK (split_part("markets"."code", '_', 2) = "markets"."market_type"::text),
	CONSTRAINT "ck_markets_country_code" CHECK ("markets"."country_code" ~ '^[A-Z]{2}$'),
	CONSTRAINT "ck_markets_commission_rate" CHECK ("markets"."default_commission_rate" >= 0 and "markets"."default_commission_rate" < 1),
	CONSTRAINT "ck_markets_min_commission" CHECK ("markets"."min_commission" >= 0),
	CONSTRAINT "ck_markets_operator_status" CHECK ("markets"."operator_status" in ('HALTED', 'MAINTENANCE')),
	CONSTRAINT "ck_markets_data_delay_minutes" CHECK ("markets"."data_delay_minutes" >= 0)
);
--> statement-breakpoint
CREATE TABLE "symbols" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "symbols_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"market_id" integer NOT NULL,
	"asset_class_id" integer NOT NULL,
	"data_provider_id" integer,
	"ticker" varchar(50) NOT NULL,
	"display_name" varchar(100) NOT NULL,
	"full_name" varchar(200),
	"full_name_tr" varchar(200),
	"description" varchar(500),
	"base_currency" varchar(20) NOT NULL,
	"quote_currency" varchar(20) NOT NULL,
	"sector" varchar(100),
	"industry" varchar(100),
	"country" varchar(2),
	"isin" varchar(12),
	"status" "symbol_status_enum" DEFAULT 'TRADING' NOT NULL,
	"is_active" boolean DEFAULT true NOT NULL,
	"is_tracked" boolean DEFAULT false NOT NULL,
	"is_popular" boolean DEFAULT false NOT NULL,
	"is_default" boolean DEFAULT false NOT NULL,
	"broadcast_priority" smallint DEFAULT 50 NOT NULL,
	"display_order" integer DEFAULT 0 NOT NULL,
	"price_precision" smallint NOT NULL,
	"quantity_precision" smallint NOT NULL,
	"tick_size" numeric(38, 18) NOT NULL,
	"step_size" numeric(38, 18) NOT NULL,
	"min_quantity" numeric(38, 18),
	"max_quantity" numeric(38, 18),
	"min_order_value" numeric(38, 18),
	"max_order_value" numeric(38, 18),
	"trading_config" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"metadata" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "uk_symbols_market_id_ticker" UNIQUE("market_id","ticker"),
	CONSTRAINT "ck_symbols_ticker" CHECK ("symbols"."ticker" ~ '^[A-Z0-9][A-Z0-9._:/-]*$'),
	CONSTRAINT "ck_symbols_default_active" CHECK (not "symbols"."is_default" or "symbols"."is_active"),
	CONSTRAINT "ck_symbols_broadcast_priority" CHECK ("symbols"."broadcast_priority" between 0 and 100),
	CONSTRAINT "ck_symbols_precision" CHECK ("symbols"."price_precision" between 0 and 18 and "symbols"."quantity_precision" between 0 and 18),
	CONSTRAINT "ck_symbols_tick_size" CHECK ("symbols"."tick_size" > 0),
	CONSTRAINT "ck_symbols_step_size" CHECK ("symbols"."step_size" > 0),
	CONSTRAINT "ck_symbols_quantity_range" CHECK ("symbols"."min_quantity" >= 0 and "symbols"."max_quantity" > 0),
	CONSTRAINT "ck_symbols_quantity_order" CHECK ("symbols"."min_quantity" <= "symbols"."max_quantity"),
	CONSTRAINT "ck_symbols_order_value_range" CHECK ("symbols"."min_order_value" >= 0 and "symbols"."max_order_value" > 0),
	CONSTRAINT "ck_symbols_order_value_order" CHECK ("symbols"."min_order_value" <= "symbols"."max_order_value"),
	CONSTRAINT "ck_symbols_country" CHECK ("symbols"."country" ~ '^[A-Z]{2}$'),
	CONSTRAINT "ck_symbols_isin" CHECK ("symbols"."isin" ~ '^[A-Z]{2}[A-Z0-9]{9}[0-9]$')
);
--> statement-breakpoint
CREATE TABLE "trading_sessions" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "trading_sessions_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"market_id" integer NOT NULL,
	"name" varchar(100) NOT NULL,
	"session_type" "market_status_enum" NOT NULL,
	"day_of_week" smallint NOT NULL,
	"start_time" time NOT NULL,
	"end_time" time NOT NULL,
	"is_primary" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "uk_trading_sessions_market_id_day_of_week_start_time" UNIQUE("market_id","day_of_week","start_time"),
	CONSTRAINT "ck_trading_sessions_day_of_week" CHECK ("trading_sessions"."day_of_week" between 1 and 7),
	CONSTRAINT "ck_trading_sessions_session_type" CHECK ("trading_sessions"."session_type" in ('PRE_MARKET', 'OPEN', 'POST_MARKET'))
);
--> statement-breakpoint
CREATE TABLE "symbol_quotes" (
	"symbol_id" integer PRIMARY KEY NOT NULL,
	"price" numeric(38, 18) NOT NULL,
	"bid" numeric(38, 18),
	"bid_quantity" numeric(38, 18),
	"ask" numeric(38, 18),
	"ask_quantity" numeric(38, 18),
	"open_24h" numeric(38, 18),
	"high_24h" numeric(38, 18),
	"low_24h" numeric(38, 18),
	"change_24h" numeric(38, 18),
	"change_percent_24h" numeric(12, 6),
	"volume_24h" numeric(38, 18),
	"quote_volume_24h" numeric(38, 18),
	"market_cap" numeric(38, 18),
	"sequence" bigint NOT NULL,
	"provider_id" integer NOT NULL,
	"exchange_time" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"last_broadcast_at" timestamp with time zone,
	CONSTRAINT "ck_symbol_quotes_price" CHECK ("symbol_quotes"."price" > 0),
	CONSTRAINT "ck_symbol_quotes_bid" CHECK ("symbol_quotes"."bid" > 0 and "symbol_quotes"."bid_quantity" > 0),
	CONSTRAINT "ck_symbol_quotes_bid_pair" CHECK (("symbol_quotes"."bid" is null) = ("symbol_quotes"."bid_quantity" is null)),
	CONSTRAINT "ck_symbol_quotes_ask" CHECK ("symbol_quotes"."ask" > 0 and "symbol_quotes"."ask_quantity" > 0),
	CONSTRAINT "ck_symbol_quotes_ask_pair" CHECK (("symbol_quotes"."ask" is null) = ("symbol_quotes"."ask_quantity" is null)),
	CONSTRAINT "ck_symbol_quotes_sequence" CHECK ("symbol_quotes"."sequence" > 0),
	CONSTRAINT "ck_symbol_quotes_24h" CHECK ("symbol_quotes"."low_24h" > 0 and "symbol_quotes"."low_24h" <= "symbol_quotes"."high_24h" and "symbol_quotes"."open_24h" > 0 and "symbol_quotes"."volume_24h" >= 0 and "symbol_quotes"."quote_volume_24h" >= 0),
	CONSTRAINT "ck_symbol_quotes_market_cap" CHECK ("symbol_quotes"."market_cap" >= 0)
);
--> statement-breakpoint
ALTER TABLE "data_providers" ADD CONSTRAINT "fk_data_providers_market_id" FOREIGN KEY ("market_id") REFERENCES "public"."markets"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "market_holidays" ADD CONSTRAINT "fk_market_holidays_market_id" FOREIGN KEY ("market_id") REFERENCES "public"."markets"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "markets" ADD CONSTRAINT "fk_markets_exchange_id" FOREIGN KEY ("exchange_id") REFERENCES "public"."exchanges"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "markets" ADD CONSTRAINT "fk_markets_asset_class_id" FOREIGN KEY ("asset_class_id") REFERENCES "public"."asset_classes"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "symbols" ADD CONSTRAINT "fk_symbols_market_id" FOREIGN KEY ("market_id") REFERENCES "public"."markets"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "symbols" ADD CONSTRAINT "fk_symbols_asset_class_id" FOREIGN KEY ("asset_class_id") REFERENCES "public"."asset_classes"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "symbols" ADD CONSTRAINT "fk_symbols_data_provider_id_market_id" FOREIGN KEY ("data_provider_id","market_id") REFERENCES "public"."data_providers"("id","market_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "trading_sessions" ADD CONSTRAINT "fk_trading_sessions_market_id" FOREIGN KEY ("market_id") REFERENCES "public"."markets"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "symbol_quotes" ADD CONSTRAINT "fk_symbol_quotes_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "symbol_quotes" ADD CONSTRAINT "fk_symbol_quotes_provider_id" FOREIGN KEY ("provider_id") REFERENCES "public"."data_providers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "uk_data_providers_primary" ON "data_providers" USING btree ("market_id") WHERE is_primary;--> statement-breakpoint
CREATE INDEX "idx_markets_asset_class_id" ON "markets" USING btree ("asset_class_id");--> statement-breakpoint
CREATE INDEX "idx_symbols_defaults" ON "symbols" USING btree ("display_order","id") WHERE is_default and is_active;--> statement-breakpoint
CREATE INDEX "idx_symbols_broadcast_active" ON "symbols" USING btree ("broadcast_priority" DESC NULLS LAST,"id") WHERE is_active and is_tracked;--> statement-breakpoint
CREATE INDEX "idx_symbols_asset_class_id" ON "symbols" USING btree ("asset_class_id");--> statement-breakpoint
CREATE INDEX "idx_symbols_data_provider_id" ON "symbols" USING btree ("data_provider_id") WHERE data_provider_id is not null;--> statement-breakpoint
CREATE INDEX "idx_symbols_ticker_prefix" ON "symbols" USING btree ("ticker" varchar_pattern_ops);--> statement-breakpoint
CREATE INDEX "idx_symbols_search" ON "symbols" USING gin (symbol_search_text(ticker, display_name, full_name, full_name_tr) gin_trgm_ops);