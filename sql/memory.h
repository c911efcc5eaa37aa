/* SQLite's allocator with a ceiling. SQLite's own memory statistics are switched off (they take a global lock for every allocation), and with
 * them its heap limit: this one counts with one relaxed atomic instead. Process-wide; memory_install() once before SQLite starts. */
#ifndef WEIR_SQL_MEMORY_H
#define WEIR_SQL_MEMORY_H

#include <stdint.h>

void memory_install(void);                   /* also SQLITE_CONFIG_MEMSTATUS 0; idempotent */
void memory_set_limit(int64_t bytes);        /* an allocation beyond it fails: SQLITE_NOMEM. Default: half of the machine, 256 MiB to 4 GiB */
int64_t memory_limit(void);
int64_t memory_used(void);

#endif
