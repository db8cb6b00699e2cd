drop table backups;
drop type backup_status_enum;
drop type backup_kind_enum;
