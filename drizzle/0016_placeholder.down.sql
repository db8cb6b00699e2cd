-- Its number belongs to another change, which takes its place.
select 1;
