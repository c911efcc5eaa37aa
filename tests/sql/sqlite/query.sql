-- case: joins
create table a(x,y); create table b(x,z); insert into a values (1,'a1'),(2,'a2'),(3,'a3'); insert into b values (2,'b2'),(3,'b3'),(4,'b4');
select * from a join b on a.x = b.x; select * from a inner join b using (x); select * from a natural join b; select * from a left join b on a.x = b.x; select * from a right join b on a.x = b.x; select * from a full outer join b using (x) order by x; select count(*) from a cross join b; select count(*) from a, b; select a.y, b.z from a, b where a.x = b.x and b.z <> 'b3'; select * from a left outer join b using (x) where b.z is null;
select p.y, q.y from a p join a q on p.x < q.x; select * from a natural left join b; select a.*, b.z from a left join b on a.x = b.x and b.z = 'b2';
-- case: join on expression and subquery
select * from (select 1 a union select 2) join (select 2 b union select 3) on a+1 = b; select * from (select 1 k, 'l' v) l join (select 1 k, 'r' v) r using (k);
-- case: ctes
with t as (select 1 a union all select 2) select * from t; with t(x) as (values (1),(2)), u as (select x*10 y from t) select * from u; with a as (select 1), b as (select * from a) select * from b; with t as materialized (select 5 v) select v from t; with t as not materialized (select 6 v) select v from t;
with recursive n(i) as (select 1 union all select i+1 from n where i < 5) select i from n; with recursive f(a,b) as (values (0,1) union all select b, a+b from f where b < 50) select a from f;
with recursive tree(id, parent) as (values (1,null),(2,1),(3,1),(4,2)), up(id, depth) as (select 1, 0 union all select tree.id, depth+1 from tree join up on tree.parent = up.id) select * from up order by depth, id;
with recursive c(x) as (select 1 union select x % 3 + 1 from c) select * from c order by x; with recursive l(n) as (select 1 union all select n+1 from l limit 4) select n from l;
with x as (select 1 emit), emit as (select 2 changes) select * from x, emit;
-- case: cte in dml
create table t(a); with s as (select 1 union select 2) insert into t select * from s; with m as (select max(a) v from t) update t set a = a + (select v from m); select * from t; with m as (select 3 v) delete from t where a = (select v from m); select * from t;
-- case: aggregates
create table t(g,v); insert into t values ('a',1),('a',2),('b',3),('b',null),('c',null);
select g, count(*), count(v), sum(v), avg(v), min(v), max(v), total(v) from t group by g order by g; select count(*), sum(v), avg(v), min(g), max(g), group_concat(g,'-') from t; select g, sum(v) s from t group by g having s > 1 order by s; select sum(v) filter (where g = 'a') from t; select g, group_concat(v) from t group by g; select count(*) from t where 0; select sum(v), total(v), avg(v), min(v) from t where 0; select g, v, max(v) from t; select count(distinct g) from t; select g||'!' k, count(*) from t group by k; select count(*) from t group by g having count(*) > 1; select avg(v) over () from t limit 1;
-- case: group by position and expression
create table t(a,b); insert into t values (1,10),(2,20),(3,30),(4,40); select a%2, sum(b) from t group by 1; select a/2 h, min(b) from t group by h order by h desc; select a > 2, count(*) from t group by a > 2; select sum(b) from t group by null;
-- case: sum overflows to an error not here
select total(9223372036854775807) > 9e18, sum(1.5), sum('2'), sum('x');
-- case: windows
create table t(g,v); insert into t values ('a',1),('a',3),('b',2),('b',5),('b',4);
select g, v, row_number() over (partition by g order by v) from t order by g, v; select v, rank() over (order by v), dense_rank() over (order by v), percent_rank() over (order by v), cume_dist() over (order by v), ntile(2) over (order by v) from t; select v, lag(v) over (order by v), lead(v,1,-1) over (order by v), first_value(v) over (order by v), last_value(v) over (order by v), nth_value(v,2) over (order by v) from t;
select v, sum(v) over (order by v rows between 1 preceding and current row), sum(v) over (order by v rows unbounded preceding), avg(v) over (order by v range between 1 preceding and 1 following), count(*) over (order by g groups current row) from t order by v; select g, v, sum(v) over w, max(v) over w from t window w as (partition by g order by v) order by g, v; select v, sum(v) over (order by v rows between unbounded preceding and unbounded following exclude current row) from t; select v, sum(v) filter (where v > 2) over (order by v) from t; select g, sum(sum(v)) over (order by g) from t group by g;
select v, group_concat(v,'.') over (order by v rows between 1 preceding and 1 following) from t; select * from (select v, row_number() over (order by v desc) r from t) where r <= 2;
-- case: columns named like window words
create table w(window, over, filter, partition, rows, range, groups, preceding, following, exclude, ties, others, first, last, nulls, current, unbounded, window_start, window_end); select window, over, filter, partition, rows, range from w; select window_start, window_end from w; select count(*) from w;
-- case: json
select json('{"a": [1, 2.50, "x", null, true]}'), json_extract('{"a":{"b":[10,20]}}', '$.a.b[1]'), '{"a":1}' -> 'a', '{"a":"x"}' ->> 'a', '{"a":{"b":2}}' -> '$.a' ->> '$.b', json_array(1,'2',null), json_object('k',1,'j',json('[1]'));
select json_type('{"a":1.5}','$.a'), json_valid('{'), json_valid('{}'), json_array_length('[1,2,3]'), json_quote('a"b'), json_set('{"a":1}','$.b',2), json_insert('{"a":1}','$.a',2), json_replace('{"a":1}','$.a',2), json_remove('{"a":1,"b":2}','$.a'), json_patch('{"a":1}','{"a":null,"c":3}'), json_extract('[1,2]','$[#-1]'), json_extract('{"a":1}','$.a','$.b');
select key, value, type, atom, fullkey, path from json_each('{"a":1,"b":[2]}'); select fullkey, atom from json_tree('{"a":{"b":[1,2]}}') where atom is not null; select value from json_each('[3,1,2]') order by value; select json_group_array(value) from json_each('[1,2]'); select json_group_object(key, value) from json_each('{"x":1,"y":2}'); create table d(j); insert into d values ('{"n":1}'),('{"n":2}'); select sum(j->>'n') from d; select e.value from d, json_each(d.j) e; select '[1]' -> 0, '[1]' ->> '$[0]', '{"a":null}' ->> 'a', '{"a":null}' -> 'a', '{}' -> 'a';
-- case: strings
select upper('abc'), lower('ABC'), length('abc'), substr('abcdef',2,3), substr('abc',-2), substring('abc',2), trim('  a '), ltrim('xxa','x'), rtrim('axx','x'), replace('aXbX','X','-'), instr('hello','l'), hex('a'), quote('it''s'), quote(null), quote(1.5), char(65,66), unicode('A'), printf('%05d|%-5s|%.2f|%x|%s', 42, 'ab', 3.14159, 255, null), format('%,d', 1234567), soundex('robert') is not null or 1, like('a%','abc'), glob('a*','abc');
select printf('%c%c','a','b'), printf('%q','it''s'), printf('%Q',null), printf('%w','a"b'), printf('%e',12345.678), printf('%g',0.0001), printf('%+d %5d %-5d|',1,2,3), printf('%%'), printf('%10.3s|','abcdef'), printf('%s','a','extra'), printf('%o',8);
-- case: numbers
select abs(-5), abs(-1.5), round(2.5), round(2.345,2), round(-2.5), sign(-3), max(1,2,3), min(1,2,3), max('a',1), typeof(random()), abs(random()) >= 0, length(randomblob(4)), total_changes() >= 0, changes();
select ceil(1.2), floor(-1.2), trunc(1.9), pi(), sqrt(2), pow(2,10), power(2,0.5), exp(1), ln(10), log(100), log10(1000), log2(8), log(2,8), mod(7.5,2), sin(0), cos(0), atan2(1,1), degrees(pi()), radians(180), sqrt(-1), acos(2);
-- case: dates
select date('2026-09-01'), time('12:34:56'), datetime('2026-09-01 12:34:56'), date('2026-01-31','+1 month'), date('2026-03-01','-1 day'), date('2024-02-29','+1 year'), datetime(0,'unixepoch'), strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000.123, 'unixepoch'), julianday('2000-01-01'), unixepoch('2026-09-01'), strftime('%j %w %W %s','2026-09-01'), date('2026-09-01','weekday 0'), date('2026-09-15','start of month'), datetime('2026-09-01T12:00+02:00'), time('25:00'), date('nonsense'), datetime('2026-09-01','localtime'), datetime(1700000000123/1000,'auto'), date('now') = date('now'), strftime('%H','now') is not null, datetime('2026-09-01 00:00','start of day','+90 minutes','utc');
-- case: table-valued pragma
create table t(a integer primary key, b text not null default 'x', c); create index ti on t(b); select name, type, "notnull", dflt_value, pk from pragma_table_info('t'); select name, "unique" from pragma_index_list('t'); select name from pragma_index_info('ti'); select name from pragma_function_list where name = 'abs' limit 1; select count(*) > 10 from pragma_compile_options;
-- case: full text
create virtual table f using fts5(title, body); insert into f values ('press', 'hydraulic oil leaks'), ('oven','door open'); select title from f where f match 'oil'; select title from f where f match 'door OR leaks' order by rank, title; select highlight(f,1,'[',']') from f where f match 'oil'; select snippet(f,1,'<','>','..',3) from f('open'); delete from f where title = 'oven'; select count(*) from f;
-- case: full text 3 and rtree
create virtual table f using fts4(body); insert into f values ('one two'),('two three'); select body from f where body match 'two' order by docid; create virtual table r using rtree(id, x0, x1); insert into r values (1,0,10),(2,5,15),(3,20,30); select id from r where x0 < 8 and x1 > 6 order by id;
-- case: dbstat like tables
create table t(a); select name from sqlite_master; select type, name, tbl_name, sql from sqlite_schema; select count(*) from sqlite_temp_master;
-- case: deep expression
select 1+(2+(3+(4+(5+(6+(7+(8+(9+(10+(11+(12+(13+(14+(15+(16)))))))))))))))
