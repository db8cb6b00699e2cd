drop function read_audit_events(text, uuid, uuid, timestamptz, timestamptz, uuid, uuid, boolean, integer);
drop table sign_in_places, sign_in_counters;
