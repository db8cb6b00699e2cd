CREATE TYPE "public"."api_key_scope_enum" AS ENUM('READ', 'TRADE');--> statement-breakpoint
CREATE TYPE "public"."one_time_purpose_enum" AS ENUM('EMAIL_VERIFICATION', 'PASSWORD_RESET');--> statement-breakpoint
CREATE TYPE "public"."risk_profile_enum" AS ENUM('LOW', 'MEDIUM', 'HIGH', 'ULTRA_HIGH');--> statement-breakpoint
CREATE TYPE "public"."user_role_enum" AS ENUM('USER', 'READONLY', 'ADMIN');--> statement-breakpoint
CREATE TYPE "public"."user_status_enum" AS ENUM('PENDING_VERIFICATION', 'ACTIVE', 'SUSPENDED', 'CLOSED');--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"name" varchar(100) NOT NULL,
	"prefix" varchar(12) NOT NULL,
	"secret_hash" varchar(64) NOT NULL,
	"scopes" "api_key_scope_enum"[] NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"last_used_at" timestamp with time zone,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "uk_api_keys_prefix" UNIQUE("prefix"),
	CONSTRAINT "ck_api_keys_name" CHECK ("api_keys"."name" ~ '[^[:space:]]' and "api_keys"."name" !~ '[\x01-\x1f\x7f]'),
	CONSTRAINT "ck_api_keys_prefix" CHECK ("api_keys"."prefix" ~ '^[a-z0-9]{12}$'),
	CONSTRAINT "ck_api_keys_secret_hash" CHECK ("api_keys"."secret_hash" ~ '^[0-9a-f]{64}$'),
	CONSTRAINT "ck_api_keys_scopes" CHECK (cardinality("api_keys"."scopes") between 1 and 2 and array_position("api_keys"."scopes", null) is null and "api_keys"."scopes"[1] is distinct from "api_keys"."scopes"[2]),
	CONSTRAINT "ck_api_keys_expires_at" CHECK ("api_keys"."expires_at" > "api_keys"."created_at")
);
--> statement-breakpoint
CREATE TABLE "audit_events" (
	"id" uuid PRIMARY KEY NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"user_id" uuid,
	"actor_id" uuid,
	"action" varchar(60) NOT NULL,
	"details" jsonb DEFAULT '{}'::jsonb NOT NULL,
	CONSTRAINT "ck_audit_events_action" CHECK ("audit_events"."action" ~ '^[a-z][a-z-]*([.][a-z][a-z-]*)+$'),
	CONSTRAINT "ck_audit_events_details" CHECK (jsonb_typeof("audit_events"."details") = 'object' and octet_length("audit_events"."details"::text) <= 4096)
);
--> statement-breakpoint
CREATE TABLE "one_time_tokens" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"purpose" "one_time_purpose_enum" NOT NULL,
	"token_hash" varchar(64) NOT NULL,
	"email_key" varchar(320) NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"used_at" timestamp with time zone,
	CONSTRAINT "uk_one_time_tokens_token_hash" UNIQUE("token_hash"),
	CONSTRAINT "ck_one_time_tokens_token_hash" CHECK ("one_time_tokens"."token_hash" ~ '^[0-9a-f]{64}$'),
	CONSTRAINT "ck_one_time_tokens_expires_at" CHECK ("one_time_tokens"."expires_at" > "one_time_tokens"."created_at")
);
--> statement-breakpoint
CREATE TABLE "refresh_tokens" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"family_id" uuid NOT NULL,
	"token_hash" varchar(64) NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"used_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "uk_refresh_tokens_token_hash" UNIQUE("token_hash"),
	CONSTRAINT "ck_refresh_tokens_token_hash" CHECK ("refresh_tokens"."token_hash" ~ '^[0-9a-f]{64}$'),
	CONSTRAINT "ck_refresh_tokens_expires_at" CHECK ("refresh_tokens"."expires_at" > "refresh_tokens"."created_at" and "refresh_tokens"."created_at" >= "refresh_tokens"."started_at")
);
--> statement-breakpoint
CREATE TABLE "signing_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"public_key" varchar(43) NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "ck_signing_keys_public_key" CHECK ("signing_keys"."public_key" ~ '^[A-Za-z0-9_-]{43}$'),
	CONSTRAINT "ck_signing_keys_expires_at" CHECK ("signing_keys"."expires_at" > "signing_keys"."created_at")
);
--> statement-breakpoint
CREATE TABLE "user_dashboard_preferences" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"symbol_id" integer NOT NULL,
	"display_order" integer DEFAULT 0 NOT NULL,
	"is_visible" boolean DEFAULT true NOT NULL,
	"is_pinned" boolean DEFAULT false NOT NULL,
	"custom_alias" varchar(100),
	"notes" varchar(2000),
	"widget_type" varchar(40) DEFAULT 'QUOTE' NOT NULL,
	"widget_config" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"category" varchar(50),
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "uk_user_dashboard_preferences_user_id_symbol_id" UNIQUE("user_id","symbol_id"),
	CONSTRAINT "ck_user_dashboard_preferences_display_order" CHECK ("user_dashboard_preferences"."display_order" >= 0),
	CONSTRAINT "ck_user_dashboard_preferences_custom_alias" CHECK ("user_dashboard_preferences"."custom_alias" ~ '[^[:space:]]' and "user_dashboard_preferences"."custom_alias" !~ '[\x01-\x1f\x7f]'),
	CONSTRAINT "ck_user_dashboard_preferences_category" CHECK ("user_dashboard_preferences"."category" ~ '[^[:space:]]' and "user_dashboard_preferences"."category" !~ '[\x01-\x1f\x7f]'),
	CONSTRAINT "ck_user_dashboard_preferences_widget_type" CHECK ("user_dashboard_preferences"."widget_type" ~ '^[A-Z][A-Z0-9_]*$'),
	CONSTRAINT "ck_user_dashboard_preferences_widget_config" CHECK (jsonb_typeof("user_dashboard_preferences"."widget_config") = 'object' and octet_length("user_dashboard_preferences"."widget_config"::text) <= 8192),
	CONSTRAINT "ck_user_dashboard_preferences_version" CHECK ("user_dashboard_preferences"."version" > 0)
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" uuid PRIMARY KEY NOT NULL,
	"email" varchar(320),
	"email_key" varchar(320),
	"email_verified_at" timestamp with time zone,
	"password_hash" varchar(200),
	"username" varchar(50),
	"first_name" varchar(100),
	"last_name" varchar(100),
	"phone" varchar(32),
	"telegram_id" bigint,
	"timezone" varchar(64) DEFAULT 'UTC' NOT NULL,
	"locale" varchar(35) DEFAULT 'en' NOT NULL,
	"role" "user_role_enum" DEFAULT 'USER' NOT NULL,
	"status" "user_status_enum" DEFAULT 'PENDING_VERIFICATION' NOT NULL,
	"risk_profile" "risk_profile_enum" DEFAULT 'MEDIUM' NOT NULL,
	"plan" varchar(30) DEFAULT 'FREE' NOT NULL,
	"preferences" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"last_login_at" timestamp with time zone,
	"access_version" integer DEFAULT 1 NOT NULL,
	"access_changed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "ck_users_email" CHECK ("users"."email" ~ '^[^@[:space:]]+@[^@[:space:]]+$' and "users"."email" !~ '[\x01-\x20\x7f]'),
	CONSTRAINT "ck_users_email_pair" CHECK (("users"."email" is null) = ("users"."email_key" is null)),
	CONSTRAINT "ck_users_email_key" CHECK ("users"."email_key" = lower("users"."email_key" collate "C")),
	CONSTRAINT "ck_users_email_key_plain" CHECK ("users"."email" ~ '[^\x01-\x7f]' or "users"."email_key" = lower("users"."email" collate "C")),
	CONSTRAINT "ck_users_password_hash" CHECK ("users"."password_hash" ~ '^[$]argon2id[$]'),
	CONSTRAINT "ck_users_username" CHECK (char_length("users"."username") >= 3 and "users"."username" ~ '[^[:space:]]' and "users"."username" !~ '[\x01-\x1f\x7f]'),
	CONSTRAINT "ck_users_first_name" CHECK ("users"."first_name" ~ '[^[:space:]]' and "users"."first_name" !~ '[\x01-\x1f\x7f]'),
	CONSTRAINT "ck_users_last_name" CHECK ("users"."last_name" ~ '[^[:space:]]' and "users"."last_name" !~ '[\x01-\x1f\x7f]'),
	CONSTRAINT "ck_users_phone" CHECK ("users"."phone" ~ '^[+]?[0-9 ().-]{3,31}$'),
	CONSTRAINT "ck_users_telegram_id" CHECK ("users"."telegram_id" > 0),
	CONSTRAINT "ck_users_timezone" CHECK ("users"."timezone" ~ '^[A-Za-z0-9_+/-]+$'),
	CONSTRAINT "ck_users_locale" CHECK ("users"."locale" ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$'),
	CONSTRAINT "ck_users_plan" CHECK ("users"."plan" ~ '^[A-Z][A-Z0-9_]*$'),
	CONSTRAINT "ck_users_preferences" CHECK (jsonb_typeof("users"."preferences") = 'object' and octet_length("users"."preferences"::text) <= 16384),
	CONSTRAINT "ck_users_access_version" CHECK ("users"."access_version" > 0),
	CONSTRAINT "ck_users_active" CHECK ("users"."status" <> 'ACTIVE' or "users"."email_verified_at" is not null),
	CONSTRAINT "ck_users_pending" CHECK ("users"."status" <> 'PENDING_VERIFICATION' or "users"."email_verified_at" is null),
	CONSTRAINT "ck_users_closed" CHECK (("users"."status" = 'CLOSED') = ("users"."deleted_at" is not null)),
	CONSTRAINT "ck_users_open" CHECK ("users"."deleted_at" is not null or ("users"."email" is not null and "users"."password_hash" is not null)),
	CONSTRAINT "ck_users_erased" CHECK ("users"."deleted_at" is null or num_nonnulls("users"."email", "users"."password_hash", "users"."username", "users"."first_name", "users"."last_name", "users"."phone", "users"."telegram_id") = 0),
	CONSTRAINT "ck_users_deleted_at" CHECK ("users"."deleted_at" >= "users"."created_at")
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "fk_api_keys_user_id" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "audit_events" ADD CONSTRAINT "fk_audit_events_user_id" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "audit_events" ADD CONSTRAINT "fk_audit_events_actor_id" FOREIGN KEY ("actor_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "one_time_tokens" ADD CONSTRAINT "fk_one_time_tokens_user_id" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "refresh_tokens" ADD CONSTRAINT "fk_refresh_tokens_user_id" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_dashboard_preferences" ADD CONSTRAINT "fk_user_dashboard_preferences_user_id" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_dashboard_preferences" ADD CONSTRAINT "fk_user_dashboard_preferences_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_api_keys_user_id" ON "api_keys" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE INDEX "idx_audit_events_user_id" ON "audit_events" USING btree ("user_id","occurred_at" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "idx_audit_events_occurred_at" ON "audit_events" USING btree ("occurred_at" DESC NULLS FIRST);--> statement-breakpoint
CREATE UNIQUE INDEX "uk_one_time_tokens_user_id_purpose" ON "one_time_tokens" USING btree ("user_id","purpose") WHERE used_at is null;--> statement-breakpoint
CREATE INDEX "idx_one_time_tokens_expires_at" ON "one_time_tokens" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "uk_refresh_tokens_family_id_living" ON "refresh_tokens" USING btree ("family_id") WHERE used_at is null and revoked_at is null;--> statement-breakpoint
CREATE INDEX "idx_refresh_tokens_family_id" ON "refresh_tokens" USING btree ("family_id","created_at");--> statement-breakpoint
CREATE INDEX "idx_refresh_tokens_expires_at" ON "refresh_tokens" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "idx_refresh_tokens_user_id" ON "refresh_tokens" USING btree ("user_id","expires_at");--> statement-breakpoint
CREATE INDEX "idx_refresh_tokens_revoked_at" ON "refresh_tokens" USING btree ("revoked_at") WHERE revoked_at is not null;--> statement-breakpoint
CREATE INDEX "idx_user_dashboard_preferences_user_id" ON "user_dashboard_preferences" USING btree ("user_id","is_pinned" DESC NULLS FIRST,"display_order","id");--> statement-breakpoint
CREATE UNIQUE INDEX "uk_users_email_key" ON "users" USING btree ("email_key") WHERE deleted_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "uk_users_telegram_id" ON "users" USING btree ("telegram_id") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "idx_users_access_changed_at" ON "users" USING btree ("access_changed_at");