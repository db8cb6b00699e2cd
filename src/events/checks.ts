import type { DataCheck } from "../db/checks/data-check.js";

export const eventChecks: readonly DataCheck[] = [
  {
    name: "event-gaps",
    severity: "CRITICAL",
    query: `select stream_id as id from event_store where stream_id in (select stream_id from event_store where id >= :since_id)
      group by stream_id having count(*) <> max(version) or min(version) <> 1 or count(distinct version) <> count(*)`,
    advice: "A stream has a gap: restore the event store from a backup.",
  },
  {
    name: "account-sequences",
    severity: "CRITICAL",
    query: `select s.account_id as id from account_sequences s cross join lateral (
        select coalesce(max(e.account_sequence), 0) as sequence, count(*) as events from event_store e where e.account_id = s.account_id) e
      where (:since = '-infinity' or s.account_id in (select account_id from event_store where id >= :since_id))
        and (s.sequence <> e.sequence or s.sequence <> e.events)`,
    advice: "The events of an account have a gap: restore the event store from a backup.",
  },
  {
    name: "events-without-account",
    severity: "CRITICAL",
    query: `select distinct e.account_id as id from event_store e where e.id >= :since_id
      and not exists (select from account_sequences s where s.account_id = e.account_id and s.user_id = e.user_id)`,
    advice: "Events of an account that is gone, or is somebody else's: restore account_sequences from a backup.",
  },
  {
    name: "events-in-the-future",
    severity: "HIGH",
    query:
      "select id from event_store where id >= :since_id and greatest(occurred_at, recorded_at) > now() + interval '5 minutes'",
    advice: "The clock of a node was wrong: synchronise all nodes with NTP.",
  },
  {
    name: "outbox-stands",
    severity: "HIGH",
    query:
      "select event_id as id from event_queue where published_at is null and created_at < now() - interval '5 minutes'",
    advice: "No node takes events out of the outbox: look for outbox.failed in the logs.",
  },
  {
    name: "outbox-without-event",
    severity: "CRITICAL",
    query: `select q.event_id as id from event_queue q where q.event_id >= :since_id
      and not exists (select from event_store e where e.id = q.event_id)`,
    advice: "Clients were told of events that are not stored: restore the event store from a backup.",
  },
  {
    name: "outbox-kept-too-long",
    severity: "LOW",
    query: "select event_id as id from event_queue where published_at < now() - interval '9 days'",
    advice: "Nobody drops events that were told long ago: run a node with the role worker.",
  },
  {
    name: "projection-lag",
    severity: "HIGH",
    // "trading" is written with the events, and its row only when it is made anew.
    query: `select p.name as id from event_projections p where p.status::text = 'RUNNING' and p.name <> 'trading'
      and exists (select from event_store e where e.position > p.last_position and e.recorded_at < now() - interval '5 minutes')`,
    needs: ["event_projections.last_position", "event_projections.status"],
    advice: "A projection is behind the events by more than five minutes: look for it in the logs of the workers.",
  },
  {
    name: "failed-projections",
    severity: "HIGH",
    query: "select name as id from event_projections where status::text = 'FAILED'",
    needs: ["event_projections.status"],
    advice:
      "Read its error in event_projections, put it right, and make the projection anew: tradegraph rebuild --write.",
  },
];
