/* The one way to SQLite's API: the program links libsqlite3, the loadable extension (WEIR_EXTENSION) calls through its host's table. */
#ifndef WEIR_VTAB_SQLITE_H
#define WEIR_VTAB_SQLITE_H

#ifdef WEIR_EXTENSION
#include <sqlite3ext.h>
extern const sqlite3_api_routines *sqlite3_api;
#else
#include <sqlite3.h>
#endif

#endif
