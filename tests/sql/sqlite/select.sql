-- case: literals
select 1, -2, 3.5, 'text', x'', null, true, false, 1e3, 0x1F, .5, 5.;
select 'it''s', "a" from (select 1 as "a"); select [a b], `a b` from (select 2 as "a b");
select 1 as "select", 2 as "from", 3 as 'where';
-- case: no semicolon at the end
select 1 as one
-- case: many on one line
select 1; select 2;; select 3; ; select 4
-- case: comments anywhere
/* c */ select /* ; */ 1 -- ; tail
, 2 /* 'quote */ , '--not' , '/* nor */';
-- just a comment
-- case: semicolons in strings
select ';', 'a;b', "x;y" from (select 1 as "x;y");
-- case: newlines in strings
select 'a
b' as t, length('a
b');
-- case: values
values (1,'a'),(2,'b'),(3,null);
select * from (values (1,2),(3,4)); select column1+column2 from (values (1,2),(3,4));
-- case: names that weir uses
create table stream(emit, changes, show, print, describe, topic, live, every, fill, within, asof, tolerance, subscribe);
insert into stream values (1,2,3,4,5,6,7,8,9,10,11,12,13);
select emit, changes, show, print, describe, topic, live, every, fill, within, asof, tolerance, subscribe from stream;
select emit as final, changes grace from stream; select stream.emit from stream where emit = 1 and fill > 2;
create table topics(cluster, stream); insert into topics values ('c','s'); select * from topics; update topics set stream = 't'; select stream from topics;
create table tumble(size, slide, gap); insert into tumble values (1,2,3); select size, slide, gap from tumble;
create table show(print); insert into show values ('x'); select print from show; delete from show; select count(*) from show;
-- case: names like the hidden columns
create table t(_ts, _offset, _key, _value, _topic, rowtime); insert into t values (1,2,3,4,5,6); select _ts, _offset, _key, _value, _topic, rowtime from t where _ts < 'a';
-- case: shadowing
create temp table t(x); insert into t values (1); create table main.t(x); insert into main.t values (2); select * from t; select * from main.t; select * from temp.t;
-- case: rowid
create table t(a); insert into t values ('x'),('y'); select rowid, _rowid_, oid, a from t where rowid = 2; select max(rowid) from t;
create table w(a primary key, b) without rowid; insert into w values (2,'b'),(1,'a'); select * from w;
-- case: where
create table t(a,b); insert into t values (1,'x'),(2,'y'),(3,null),(null,'z');
select * from t where a > 1; select * from t where a is null; select * from t where b is not null order by a; select * from t where a in (1,3); select * from t where a not in (1,null);
select * from t where a between 1 and 2; select * from t where b like 'X'; select * from t where b glob 'X'; select * from t where not (a = 1 or b = 'y'); select * from t where a is not distinct from null;
-- case: order and limit
create table t(a,b); insert into t values (3,'c'),(1,'a'),(2,'b'),(null,'n');
select a from t order by a; select a from t order by a desc nulls last; select a from t order by a nulls last; select b from t order by 1 limit 2; select b from t order by b limit 2 offset 1; select b from t order by b limit 1, 2; select a from t order by -a; select a from t limit 0; select count(*) from (select a from t limit -1);
-- case: distinct
create table t(a,b); insert into t values (1,1),(1,1),(1,2),(null,null),(null,null); select distinct a from t; select distinct a,b from t; select count(distinct a), count(a), count(*) from t;
-- case: expressions
select 1+2*3, (1+2)*3, 7/2, 7%3, 7.0/2, -7/2, -7%3, 1<<4, 255>>4, 5&3, 5|3, ~5, 'a'||'b', 1||2, not 0, 1 and null, 0 and null, 1 or null;
select 1=1.0, '1'=1, 1 is 1, null is null, null = null, 1 <> 2, 1 != 1, 2 >= 1, 'a' < 'b', x'00' > 'zzz', 1/0, 1%0;
select case 1 when 1 then 'one' else 'other' end, case when null then 1 else 2 end, case 3 when 1 then 1 end, iif(1>2,'y','n'), coalesce(null,null,3), ifnull(null,2), nullif(1,1);
-- case: row values
select (1,2) = (1,2), (1,2) < (1,3), (1,null) = (1,2); create table t(a,b); insert into t values (1,2),(3,4); select * from t where (a,b) in (select 3,4); select * from t where (a,b) > (1,1); update t set (a,b) = (5,6) where a = 1; select * from t;
-- case: cast and affinity
select cast('12abc' as integer), cast('1.5' as real), cast(1.9 as integer), cast(65 as text), typeof(cast('x' as blob)), cast('1e2' as numeric), cast(null as text);
create table t(i integer, r real, x text, n numeric, b blob, none); insert into t values ('1','2','3','4.0','5','6'); insert into t values (1,2,3,4.0,5,6); select typeof(i),typeof(r),typeof(x),typeof(n),typeof(b),typeof(none) from t;
select typeof(1), typeof(1.0), typeof('a'), typeof(x'61'), typeof(null), typeof(1=1);
-- case: big numbers
select 9223372036854775807, -9223372036854775808, 9223372036854775808, 9223372036854775807+1, 1e308*10, -1e308*10, 0.1+0.2, 1e-5, 123456789012345678, 1.0, 1e15, 1e16, 100000000000000000000;
-- case: collation
create table t(a text collate nocase, b text collate rtrim); insert into t values ('Abc','x  '),('aBC','x'); select count(*) from t where a = 'ABC'; select count(distinct b) from t; select 'a' = 'A' collate nocase; select * from (select 'b' x union all select 'A') order by x collate nocase;
-- case: compound
select 1 union select 2 union select 1; select 1 union all select 1; select 1 intersect select 1; select 1 except select 2; select 1 a union select 2 order by a desc; select 3 except select 3; values (1) union values (2);
-- case: subqueries
create table t(a,b); insert into t values (1,10),(2,20),(3,30); select (select max(b) from t), a from t; select a from t where b = (select min(b) from t); select * from (select a+1 x from t) where x > 2; select a from t o where exists (select 1 from t where a > o.a); select a, (select count(*) from t i where i.a <= t.a) from t; select a from t where a in (select b/10 from t where b > 10);
-- case: glob and like
select 'abc' like 'A%', 'abc' like '_b_', 'a%c' like 'a\%c' escape '\', 'abc' glob 'a*', 'abc' glob '[a-c]bc', 'abc' glob 'A*', 'x' not like 'y', null like 'a';
-- case: unicode
select 'é', length('é'), upper('é'), unicode('€'), char(8364, 128512), length(char(128512)), 'naïve' like 'NAÏVE', hex('é'), instr('aéb','b'), substr('aéb',2,1);
-- case: blobs
select hex(x'00ff10'), length(x'000102'), x'61' = 'a', cast(x'61' as text), hex(zeroblob(3)), quote(x'0a'), substr(x'010203',2,1) = x'02', typeof(x'01'||x'02');
-- case: parameters are null
select ?, ?1, ?3;
-- case: indexed by and unlikely
create table t(a); create index ti on t(a); insert into t values (1),(2); select a from t indexed by ti where a = 1; select a from t not indexed where a = 2; select unlikely(1), likely(0), likelihood(1,0.5);
