/* weir.so: kafka tables, the weir_* tables and weir's functions in any SQLite 3.38 or newer. There is no dialect here and no command line:
 *
 *     .load weir
 *     CREATE VIRTUAL TABLE temp.plant USING kafka('plant.sensors', cluster = 'line1');
 *
 * Clusters are the profiles of the user's configuration file, by name; WEIR_BROKERS is the profile `default`. It prints nothing, ends nothing,
 * and stays loaded (its threads must not outlive its code). Each connection has a catalogue of its own, freed when the connection closes.
 * Writing to topics is off. */
#include "sql/catalog.h"
#include "sql/aggregate/aggregate_sqlite.h"
#include "sql/functions.h"
#include "sql/metadata.h"
#include "vtab/vtab.h"

SQLITE_EXTENSION_INIT1

enum { SQLITE_NEEDED = 3038000 };        /* sqlite3_vtab_in, sqlite3_vtab_rhs_value, sqlite3_vtab_distinct */

static void call_nothing(sqlite3_context *context, int n, sqlite3_value **args)
{
	(void)context, (void)n, (void)args;
}

static void free_catalog(void *p)
{
	catalog_destroy(p);
}

__attribute__((visibility("default"))) int sqlite3_weir_init(sqlite3 *db, char **ret_message, const sqlite3_api_routines *api);
__attribute__((visibility("default"))) int sqlite3_weir_init(sqlite3 *db, char **ret_message, const sqlite3_api_routines *api)
{
	struct catalog *catalog = NULL;
	struct catalog_options options = {.brokers = NULL};
	struct err err = ERR_INIT;
	SQLITE_EXTENSION_INIT2(api);
	if (sqlite3_libversion_number() < SQLITE_NEEDED) {
		*ret_message = sqlite3_mprintf("weir needs SQLite 3.38 or newer, this is %s", sqlite3_libversion());
		return SQLITE_ERROR;
	}
	if (!catalog_create(&options, &catalog, &err)) {
		*ret_message = sqlite3_mprintf("weir: %s", err.msg);
		return SQLITE_ERROR;
	}
	/* The catalogue goes with the connection: SQLite calls this destructor when it closes, or now if this fails. */
	if (sqlite3_create_function_v2(db, "weir_catalog_owner", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY, catalog, call_nothing, NULL, NULL, free_catalog) != SQLITE_OK) {
		*ret_message = sqlite3_mprintf("weir: %s", sqlite3_errmsg(db));
		return SQLITE_ERROR;
	}
	if (!vtab_register(db, &catalog->provider, &err) || !functions_register(db, catalog, &err) || !aggregates_register(db, &err) || !metadata_register(db, catalog, &err)) {
		*ret_message = sqlite3_mprintf("weir: %s", err.msg);
		return SQLITE_ERROR;
	}
	return SQLITE_OK_LOAD_PERMANENTLY;
}
