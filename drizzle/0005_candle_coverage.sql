CREATE TABLE "candle_coverage" (
	"symbol_id" integer NOT NULL,
	"complete" "tstzmultirange" NOT NULL,
	CONSTRAINT "pk_candle_coverage" PRIMARY KEY("symbol_id"),
	CONSTRAINT "ck_candle_coverage_complete" CHECK (not lower_inf("candle_coverage"."complete") and not upper_inf("candle_coverage"."complete"))
);
--> statement-breakpoint
ALTER TABLE "candle_coverage" ADD CONSTRAINT "fk_candle_coverage_symbol_id" FOREIGN KEY ("symbol_id") REFERENCES "public"."symbols"("id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
grant select on candle_coverage to tradegraph_app, tradegraph_readonly, tradegraph_admin;
--> statement-breakpoint
grant insert, update on candle_coverage to tradegraph_app, tradegraph_admin;
