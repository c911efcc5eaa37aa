"""Every mode's exact bytes for one awkward table."""
import csv
import io
import json

import pytest

from weir import weir

TABLE = """create table t(a integer, b boolean, c json, d timestamp_ms, e blob, f real, g text);
insert into t values (1, 1, '{"x": [1,
2]}', 1788235200123, x'00ff', 2.5, 'he said "hi", ok'), (null, 0, 'not json', -1, x'', 1e300, 'multi
line'), (3, null, null, null, null, 0.1, '日本 | <b>');
"""

GOLDEN = {
    "csv": 'a,b,c,d,e,f,g\n1,1,"{""x"": [1,\n2]}",1788235200123,00ff,2.5,"he said ""hi"", ok"\n,0,not json,-1,"",1e+300,"multi\nline"\n3,,,,,0.1,日本 | <b>\n',
    "tsv": 'a\tb\tc\td\te\tf\tg\n1\t1\t"{""x"": [1,\n2]}"\t1788235200123\t00ff\t2.5\t"he said ""hi"", ok"\n\t0\tnot json\t-1\t""\t1e+300\t"multi\nline"\n3\t\t\t\t\t0.1\t日本 | <b>\n',
    "ndjson": '{"a":1,"b":true,"c":{"x": [1, 2]},"d":1788235200123,"e":"AP8=","f":2.5,"g":"he said \\"hi\\", ok"}\n'
              '{"a":null,"b":false,"c":"not json","d":-1,"e":"","f":1e+300,"g":"multi\\nline"}\n'
              '{"a":3,"b":null,"c":null,"d":null,"e":null,"f":0.1,"g":"日本 | <b>"}\n',
    "box": """\
┌──────┬──────┬────────────────┬──────────────────────────┬─────────┬────────┬──────────────────┐
│    a │    b │ c              │ d                        │ e       │      f │ g                │
├──────┼──────┼────────────────┼──────────────────────────┼─────────┼────────┼──────────────────┤
│    1 │    1 │ {"x": [1,\\n2]} │ 2026-09-01T04:00:00.123Z │ x'00ff' │    2.5 │ he said "hi", ok │
│ NULL │    0 │ not json       │ 1969-12-31T23:59:59.999Z │ x''     │ 1e+300 │ multi\\nline      │
│    3 │ NULL │ NULL           │ NULL                     │ NULL    │    0.1 │ 日本 | <b>       │
└──────┴──────┴────────────────┴──────────────────────────┴─────────┴────────┴──────────────────┘
""",
    "insert": """INSERT INTO t VALUES(1,1,'{"x": [1,\n2]}',1788235200123,x'00ff',2.5,'he said "hi", ok');
INSERT INTO t VALUES(NULL,0,'not json',-1,x'',1e+300,'multi\nline');
INSERT INTO t VALUES(3,NULL,NULL,NULL,NULL,0.1,'日本 | <b>');
""",
    "list": 'a|b|c|d|e|f|g\n1|1|{"x": [1,\n2]}|1788235200123|00ff|2.5|he said "hi", ok\n|0|not json|-1||1e+300|multi\nline\n3|||||0.1|日本 | <b>\n',
}


@pytest.mark.parametrize("mode", GOLDEN)
def test_golden(mode):
    assert weir("--mode", mode, stdin=TABLE + "select * from t").ok().out == GOLDEN[mode]


def test_json_is_json_and_csv_is_csv():
    rows = json.loads(weir("--mode", "json", stdin=TABLE + "select * from t").ok().out)
    assert rows[0]["c"] == {"x": [1, 2]} and rows[1]["b"] is False and rows[2]["g"] == "日本 | <b>"
    read = list(csv.reader(io.StringIO(weir("--mode", "csv", stdin=TABLE + "select * from t").ok().out, newline="")))
    assert read[1][6] == 'he said "hi", ok' and read[2][6] == "multi\nline"


def test_markdown_html_line():
    out = weir("--mode", "markdown", stdin=TABLE + "select a, g from t").ok().out.splitlines()
    assert out[1] == "|-----:|------------------|" and out[4] == "|    3 | 日本 \\| <b>      |"
    assert "<td>日本 | &lt;b&gt;</td>" in weir("--mode", "html", stdin=TABLE + "select g from t").ok().out
    assert weir("--mode", "line", "-c", "select 1 a, null long").ok().out == "   a = 1\nlong = NULL\n"


@pytest.mark.parametrize("mode, want", [("csv", "a\n"), ("json", "[]\n"), ("ndjson", ""), ("box", "┌───┐\n│ a │\n├───┤\n└───┘\n"), ("insert", "")])
def test_no_rows(mode, want):
    assert weir("--mode", mode, "-c", "select 1 a where 0").ok().out == want


def test_ddl_prints_nothing():
    for mode in ("box", "csv", "json", "html"):
        assert weir("--mode", mode, "-c", "create table t(a); insert into t values (1); begin; commit").ok().out == ""


@pytest.mark.parametrize("value, text", [
    ("0.1+0.2", "0.30000000000000004"), ("1.0", "1.0"), ("-2.50", "-2.5"), ("1e15", "1e+15"), ("123456789.125", "123456789.125"), ("5e-324", "5e-324"), ("1.0/3", "0.3333333333333333"),
    ("-1e-7", "-1e-07"), ("9007199254740993.0", "9007199254740992.0"), ("-9223372036854775808", "-9223372036854775808"), ("100.0", "100.0"), ("0.07", "0.07"), ("1e22", "1e+22"),
])
def test_numbers_read_back(value, text):
    assert weir("--no-header", "-c", f"select {value}").ok().out == text + "\n"


def test_infinity_is_no_json():
    assert weir("--mode", "ndjson", "-c", "select 1e999 a, -1e999 b").ok().out == '{"a":null,"b":null}\n'
    assert weir("--mode", "insert", "-c", "select 1e999 a").ok().out == 'INSERT INTO "table" VALUES(9e999);\n'


def test_bad_utf8_stays_valid_in_json():
    out = weir("--mode", "ndjson", "-c", "select cast(x'61ff62' as text)").ok().out
    assert json.loads(out) and "a\ufffdb" in out
    assert weir("--mode", "csv", "--no-header", "-c", "select cast(x'61ff62' as text)").ok().out_bytes == b"a\xffb\n"
    assert weir("--mode", "raw", "-c", "select x'00ff0a'").ok().out_bytes == b"\x00\xff\n\n"


def test_same_name_twice_in_json():
    assert weir("--mode", "ndjson", "-c", "select 1 a, 2 a, 3 a_2, 4 a").ok().out == '{"a":1,"a_2":2,"a_2_2":3,"a_3":4}\n'


def test_timestamps_and_zone():
    sql = "create table t(d timestamp_ms); insert into t values (1788235200123); select d from t"
    assert weir("--mode", "csv", "-c", ".timestamps text", "-c", sql).ok().out == "d\n2026-09-01T04:00:00.123Z\n"
    assert weir("--mode", "line", "-c", ".timestamps raw", "-c", sql).ok().out == "d = 1788235200123\n"
    assert weir("--mode", "line", "--tz", "Europe/Berlin", "-c", sql).ok().out == "d = 2026-09-01T06:00:00.123+02:00\n"


def test_csv_safe():
    sql = "select '=1+1' a, '@x' b, -5 c, '-5' d"
    assert weir("--mode", "csv", "--no-header", "--csv-safe", "-c", sql).ok().out == "'=1+1,'@x,-5,'-5\n"
    assert weir("--mode", "csv", "--no-header", "-c", sql).ok().out == "=1+1,@x,-5,-5\n"


def test_separators_null_headers_width():
    assert weir("--mode", "csv", "-c", ".separator ; \\r\\n", "-c", "select 1 a, 'x;y' b").ok().out_bytes == b'a;b\r\n1;"x;y"\r\n'
    assert weir("--mode", "csv", "--null", "-", "-c", ".headers off", "-c", "select null, 1").ok().out == "-,1\n"
    assert weir("--mode", "column", "-c", ".width 4 -6", "-c", "select 'abcdefgh' x, 'y' z").ok().out == "x     z\n----  ------\nabc…       y\n"
    assert weir("--mode", "insert", "-c", ".mode insert my-table", "-c", ".headers on", "-c", "select 1 a").ok().out == 'INSERT INTO "my-table"(a) VALUES(1);\n'


def test_nothing_is_cut_in_a_pipe():
    out = weir("--mode", "box", "-c", "select hex(zeroblob(500)) v").ok().out
    assert "0" * 1000 in out and "…" not in out
