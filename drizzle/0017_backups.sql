CREATE TYPE "public"."backup_kind_enum" AS ENUM('FULL', 'DIFFERENTIAL', 'INCREMENTAL');--> statement-breakpoint
CREATE TYPE "public"."backup_status_enum" AS ENUM('RUNNING', 'SUCCEEDED', 'FAILED');--> statement-breakpoint
CREATE TABLE "backups" (
	"id" uuid PRIMARY KEY NOT NULL,
	"kind" "backup_kind_enum" NOT NULL,
	"status" "backup_status_enum" NOT NULL,
	"location" text NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"finished_at" timestamp with time zone,
	"size_bytes" bigint,
	"error" text,
	"program_version" text NOT NULL,
	CONSTRAINT "uk_backups_location" UNIQUE("location"),
	CONSTRAINT "ck_backups_finished_at" CHECK (("backups"."status" = 'RUNNING') = ("backups"."finished_at" is null)),
	CONSTRAINT "ck_backups_times" CHECK ("backups"."finished_at" >= "backups"."started_at"),
	CONSTRAINT "ck_backups_size_bytes" CHECK ("backups"."size_bytes" >= 0),
	CONSTRAINT "ck_backups_succeeded" CHECK ("backups"."status" <> 'SUCCEEDED' or "backups"."size_bytes" is not null),
	CONSTRAINT "ck_backups_error" CHECK (("backups"."status" = 'FAILED') = ("backups"."error" is not null))
);
--> statement-breakpoint
CREATE INDEX "idx_backups_status_finished_at" ON "backups" USING btree ("status","finished_at");
--> statement-breakpoint
grant select on backups to tradegraph_app, tradegraph_readonly, tradegraph_admin, tradegraph_monitor;
