/* Changelog tables that go on: for statements of live queries, which are stepped again and again, the table's state is not loaded per statement
 * but loaded once and kept up to date by an endless source. An update is seen by every scan that begins after the poll that brought it.
 *
 *     vtab_changelog_follow(db, "machines", &f, &err);         loads it up to what the brokers hold now
 *     for (;;) { vtab_changelog_poll(db, 0, &n, &err); .. step statements that join with machines, reset them .. }
 *     vtab_changelog_unfollow(f);
 *
 * Tables of one connection over the same topic share one state; follows are counted. All statements of the connection see the followed state, and
 * module_enter_statement does not drop it. A scan in progress keeps what it began with: a table in which a statement stands (stepped to a row,
 * not reset) is left out by poll, and brought up by a later one.
 * Between partitions (a key moved because partitions were added) time decides as in a bounded load; of a key deleted after that load nothing is
 * remembered, so an older record of it in another partition, arriving after its tombstone, brings it back.
 * With --until the loaded state stays as it is. Connection's thread; unfollow before the connection closes. */
#ifndef WEIR_VTAB_FOLLOW_H
#define WEIR_VTAB_FOLLOW_H

#include "core/source.h"
#include "vtab/sqlite.h"

struct follow;

/* table: name of a changelog table (CREATE TABLE .. FROM TOPIC) of this connection; ERR_OPTION if it is something else. Loads it (seconds for a large
 * topic; polls the cancel flag). */
bool vtab_changelog_follow(sqlite3 *db, const char *table, struct follow **ret, struct err *err);
void vtab_changelog_unfollow(struct follow *f);      /* accepts NULL */

/* FOR SYSTEM_TIME AS OF. Makes temp."name": the columns of the changelog table and one more hidden one, _as_of, which a statement must compare with =
 * to a time in ms that comes from elsewhere, usually the stream's row. Its rows are the values valid then: of each key the last one by _ts (of equal ones the
 * later) whose _ts is not after _as_of; none where that is a tombstone or there is no such value. Together with key = .. it is a look-up:
 *     .. FROM orders o LEFT JOIN rates FOR SYSTEM_TIME AS OF o._ts AS r ON r.currency = o.currency
 *     .. FROM orders o LEFT JOIN temp."name" AS r ON r._as_of = o._ts AND r.currency = o.currency
 * Every message that the topic holds when this is called, and those that come, stay in memory: proportional to the topic, not to its keys. A late value
 * takes its place by its time. Polled with the others; vtab_changelog_unfollow drops the table (no statement may use it). */
bool vtab_changelog_versions(sqlite3 *db, const char *table, const char *name, struct follow **ret, struct err *err);

/* Applies what has arrived for all followed tables of the connection, waiting at most wait_ms if nothing is there; of a table that gets more than can
 * be applied in 50 ms the rest comes with the next call. *ret_applied (may be NULL): records
 * taken. False: a source failed (its table keeps its last state, and each later poll says so again), or the cancel flag is set. */
bool vtab_changelog_poll(sqlite3 *db, int wait_ms, size_t *ret_applied, struct err *err);

/* Its source: to wait on and to ask for the lag (core/source.h). NULL under --until and after a failure. Borrowed until unfollow or a failed poll. */
struct source *vtab_changelog_source(const struct follow *f);

/* ---- inside vtab/ ---- */

struct changelog;
struct table;

/* The followed state of a table's topic, NULL = not followed. Borrowed. */
struct changelog *follow_state(const struct table *t);
/* A table of versions by its name, NULL = none; its stream and state are borrowed. */
struct module;
struct follow *follow_versions(const struct module *m, const char *name);
const struct stream *follow_stream(const struct follow *f);
struct changelog *follow_log(const struct follow *f);
struct follow *follow_ref(struct follow *f);
void follow_unref(struct follow *f);

#endif
