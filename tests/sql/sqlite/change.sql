-- case: insert forms
create table t(a integer primary key, b default 'd', c); insert into t default values; insert into t(b) values ('x'); insert into t values (10,'y',1),(11,'z',2); insert into t(c,b) select 7,'q'; insert or ignore into t values (10,'dup',0); insert or replace into t values (11,'new',9); replace into t values (10,'rep',8); select * from t order by a; select last_insert_rowid(), changes(), total_changes();
-- case: upsert
create table t(k primary key, n default 1); insert into t(k) values ('a') on conflict(k) do update set n = n + 1; insert into t(k) values ('a'),('b'),('a') on conflict(k) do update set n = n + 1; insert into t values ('b', 5) on conflict do nothing; insert into t values ('a', 9) on conflict(k) do update set n = excluded.n where excluded.n > t.n; select * from t order by k;
-- case: returning
create table t(a integer primary key, b); insert into t(b) values ('x'),('y') returning a, b; update t set b = upper(b) where a = 1 returning *; delete from t where a = 2 returning b as gone; insert into t values (1,'z') on conflict(a) do update set b = excluded.b returning a, b;
-- case: update forms
create table t(a,b); insert into t values (1,1),(2,2),(3,3); update t set b = b * 10; update t set b = 0 where a = 2; update t set a = b, b = a where a = 3; update or ignore t set a = 1 where a = 2; select * from t; create table s(a,v); insert into s values (1,'one'); update t set b = s.v from s where s.a = t.a; select * from t; select changes();
-- case: delete
create table t(a); insert into t values (1),(2),(3); delete from t where a = 2; select * from t; delete from t; select count(*), changes() from t;
-- case: constraints that hold
create table t(a integer not null check (a > 0), b text unique, c integer references p(x), primary key (a)); create table p(x integer primary key); pragma foreign_keys = on; insert into p values (1); insert into t values (1,'u',1); insert or ignore into t values (2,'u',1); select * from t; pragma foreign_keys; pragma foreign_key_check;
-- case: cascade
pragma foreign_keys = on; create table p(x integer primary key); create table c(y references p(x) on delete cascade on update cascade); insert into p values (1),(2); insert into c values (1),(2),(2); update p set x = 20 where x = 2; select * from c; delete from p where x = 20; select * from c;
-- case: triggers
create table t(a); create table log(what, old, new); create trigger ti after insert on t begin insert into log values ('ins', null, new.a); end; create trigger tu before update of a on t when new.a > 5 begin insert into log values ('upd', old.a, new.a); end; create trigger td after delete on t begin insert into log values ('del', old.a, null); select 1; end;
insert into t values (1),(2); update t set a = a + 5; delete from t where a = 6; select * from log; select * from t; drop trigger ti; insert into t values (3); select count(*) from log;
-- case: trigger over lines
create table t(a, b);
create trigger x after insert on t
begin
  update t set b = case when new.a > 1 then 'big; yes' else 'small' end where rowid = new.rowid;
  -- a comment; with a semicolon
  insert into t select 'never', 'mind' where 0;
end;
insert into t(a) values (1), (2);
select * from t;
-- case: instead of trigger
create table t(a); create view v as select a from t; create trigger vi instead of insert on v begin insert into t values (new.a * 2); end; insert into v values (21); select * from v;
-- case: views
create table t(a,b); insert into t values (1,2),(3,4); create view v as select a+b s from t; select * from v; create view w(x,y) as select a, s from t, v where s = a + b; select * from w; create temp view tv as select max(s) m from v; select m from tv; create view if not exists v as select 1; drop view w; select name from sqlite_master where type = 'view'; drop view if exists nope;
-- case: tables
create table if not exists t(a); create table if not exists t(b); create table u as select 1 x, 'y' z; select * from u; drop table t; drop table if exists t; create table "odd name"("a b" int, [c d] text, `e` real); insert into "odd name" values (1,'2',3); select "a b", [c d], e from "odd name"; select sql from sqlite_schema where name = 'u';
-- case: alter
create table t(a,b); insert into t values (1,2); alter table t rename to u; alter table u rename column b to c; alter table u add column d default 'new'; alter table u drop column a; select * from u; select sql from sqlite_master;
-- case: indexes
create table t(a,b); create index i1 on t(a); create unique index i2 on t(b desc) where a > 0; create index if not exists i1 on t(b); create index i3 on t(lower(b)); insert into t values (1,'X'),(2,'Y'); select b from t where lower(b) = 'x'; drop index i1; select name from sqlite_master where type = 'index' order by name; reindex; analyze; select count(*) > 0 from sqlite_stat1;
-- case: strict and generated
create table s(a int, b text, c any) strict; insert into s values ('1', 2, x'00'); select typeof(a), typeof(b), typeof(c) from s; create table g(a int, b int generated always as (a * 2) virtual, c as (a + b) stored); insert into g(a) values (1),(2); select * from g; select sum(c) from g where b > 2;
-- case: autoincrement
create table t(id integer primary key autoincrement, v); insert into t(v) values ('a'),('b'); delete from t; insert into t(v) values ('c'); select * from t; select * from sqlite_sequence;
-- case: transactions
create table t(a); begin; insert into t values (1); rollback; select count(*) from t; begin immediate; insert into t values (2); commit; begin exclusive transaction; insert into t values (3); end transaction; begin deferred; savepoint s1; insert into t values (4); savepoint s2; insert into t values (5); rollback to s2; release s1; commit; select * from t; savepoint x; delete from t; rollback to savepoint x; release savepoint x; select count(*) from t;
-- case: attach
attach ':memory:' as other; create table other.t(a); insert into other.t values (7); select * from other.t; select name from pragma_database_list order by seq; create table main.t(a); insert into t values (8); select a from main.t union all select a from other.t; detach database other; attach database ':memory:' as "my db"; create table "my db".x(y); select count(*) from "my db".x; detach "my db";
-- case: pragmas
pragma user_version = 7; pragma user_version; pragma encoding; pragma table_list(nope); create table t(a int, b text); pragma table_info(t); pragma table_xinfo('t'); pragma integrity_check; pragma quick_check; pragma page_size = 4096; pragma recursive_triggers = on; pragma recursive_triggers; pragma case_sensitive_like = on; select 'a' like 'A'; pragma schema_version; pragma freelist_count; pragma application_id;
-- case: vacuum
create table t(a); insert into t values (1); vacuum; select * from t; vacuum into 'copy.db'; attach 'copy.db' as c; select * from c.t;
-- case: temp
create temporary table t(a); insert into t values (1); create temp trigger tt after insert on t begin select 1; end; insert into t values (2); select * from t; select name from sqlite_temp_schema; drop table temp.t;
-- case: hex and blob columns
create table t(b blob); insert into t values (x'00ff'),(zeroblob(2)); select hex(b), length(b) from t; select quote(b) from t; update t set b = x'' where rowid = 1; select length(b), b is null from t;
-- case: case does not matter
CREATE TABLE T(A); INSERT INTO t VALUES (1); SeLeCt a FrOm T wHeRe A = 1; DROP TABLE t;
-- case: empty results have a header
create table t(a,b); select a, b from t; select 1 where 0;
