drop table signing_keys, audit_events, user_dashboard_preferences, one_time_tokens, api_keys, refresh_tokens, users;
drop type user_role_enum, user_status_enum, risk_profile_enum, api_key_scope_enum, one_time_purpose_enum;
